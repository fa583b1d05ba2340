# SPDX-License-Identifier: GPL-3.0-or-later
"""From answering a call to the other side's first picture: the service and two kiosks, a process each.

The camera of the kiosk that is called is warm, as `camera.warm: ringing` has it. There are no peers: none of
the libraries measured against rings or signals; what their connections take is in `loopback`.
"""

import asyncio
import contextlib
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.report import Figure, Report
from callagent.protocol import control as api
from callagent.protocol.control import SlotState
from tests.programs import Kiosk, Service, running

CALLS, SHORT_CALLS = 20, 3
DEADLINE_S = 30.0
TARGET_MS = 150.0


def run(short: bool) -> Report:
    answering, calling = asyncio.run(_run(SHORT_CALLS if short else CALLS))
    return Report("setup", [*_figures("answers", answering), *_figures("called", calling)])


def _figures(side: str, times_s: list[float]) -> list[Figure]:
    name = f"first picture at the side that {side}"
    return [
        Figure(f"{name}, p50", "ms", 1000 * statistics.median(times_s), target=TARGET_MS),
        Figure(f"{name}, worst of {len(times_s)}", "ms", 1000 * max(times_s)),
    ]


async def _run(calls: int) -> tuple[list[float], list[float]]:
    """Seconds from the answer, at either side."""
    with tempfile.TemporaryDirectory(prefix="callagent-") as folder:
        # One call right after the other, faster than a person may.
        service = Service(Path(folder), limits={"calls_per_minute": 6000})
        async with running(service):
            caller, callee = (
                Kiosk(
                    *(user, service.ticket(user), service.http_url, Path(folder)),
                    camera={"warm": "ringing"},
                )
                for user in ("anna", "ben")
            )
            async with running(caller, callee):
                times = [await _call(caller, callee) for _ in range(calls)]
    return [answering for answering, _ in times], [calling for _, calling in times]


async def _call(caller: Kiosk, callee: Kiosk) -> tuple[float, float]:
    async with caller.client() as calling, callee.client() as answering, asyncio.timeout(2 * DEADLINE_S):
        await calling.call([callee.user])
        await callee.until(_warm, "does not ring with its camera open", DEADLINE_S)
        subscribed = [asyncio.Event(), asyncio.Event()]
        watches = [
            asyncio.create_task(_first_picture(kiosk, event))
            for kiosk, event in zip((callee, caller), subscribed, strict=True)
        ]
        await asyncio.gather(*(event.wait() for event in subscribed))
        began = time.monotonic()
        await answering.answer()
        at_callee, at_caller = await asyncio.gather(*watches)
        await calling.hangup()
        for kiosk in (caller, callee):
            await kiosk.until_state("idle", DEADLINE_S)
    return at_callee - began, at_caller - began


def _warm(status: api.StatusData) -> bool:
    return status.state == "ringing" and status.slots["camera"].state is SlotState.LIVE


async def _first_picture(kiosk: Kiosk, subscribed: asyncio.Event) -> float:
    """When the kiosk's first remote picture was decoded, on the monotonic clock."""
    async with kiosk.client() as control, contextlib.aclosing(control.events()) as events:
        async for message in events:
            subscribed.set()
            if message.event == "onFirstFrame" and message.data["kind"] == "video":
                return time.monotonic()
    raise AssertionError(f"no picture:\n{kiosk.program.tail()}")
