# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way the virtual camera can misbehave on the real uvcvideo, in a call."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest

from callagent.protocol.errors import CallAgentError
from tests.lab.limits import Limits
from tests.lab.machine import Machine
from tests.lab.scene import ANSWERING, VIRTUAL, Scene
from tests.lab.usbip.camera import Camera
from tests.lab.waiting import until

FRONT, SPARE = 7, 9
NOTICED_S = 1.0 + 0.2
"""A live camera that gives nothing for a second has stalled."""
REPLACED_S = NOTICED_S + 2.0 + 1.0
"""It is started again, which gets two seconds, and the next has one."""
ANSWERS_S = 0.15
"""By how much an answer of the control API may take longer than without a stall; a driver that hangs takes
five seconds."""
ENOUGH = 5
"""Answers to know how long they usually take: in the guest up to seconds, now and then."""


@pytest.fixture
def cameras() -> Iterator[tuple[Camera, Camera]]:
    front, spare = Camera("Lab Front", "F1", ident=FRONT), Camera("Lab Spare", "F2", ident=SPARE)
    yield front, spare
    front.close()
    spare.close()


@contextlib.asynccontextmanager
async def answers(scene: Scene) -> AsyncIterator[list[float]]:
    """How long each answer of the kiosk's control API took meanwhile, in seconds; the last is waited for."""
    took: list[float] = []
    over = asyncio.Event()

    async def ask() -> None:
        while not over.is_set():
            began = time.monotonic()
            await scene.kiosk.status()
            took.append(time.monotonic() - began)
            await asyncio.sleep(0.1)

    async with asyncio.TaskGroup() as group:
        group.create_task(ask())
        try:
            yield took
        finally:
            over.set()


async def _many(took: list[float]) -> bool:
    return len(took) >= ENOUGH


@pytest.mark.timeout(900)  # the limits of all six stalls, in a slow guest
async def test_every_stall_is_noticed_and_the_call_sees_a_camera_again(
    installed: Machine, scene: Scene, limits: Limits, cameras: tuple[Camera, Camera]
) -> None:
    front, spare = cameras
    await scene.kiosk.start(
        camera={"device": [{"serial": "F1"}, {"serial": "F2"}]},
        microphone=VIRTUAL,
        speaker=VIRTUAL,
        answer=ANSWERING,
    )
    front.plug(installed, 0)
    spare.plug(installed, 1)
    await scene.call()
    for how in ("freeze", "halt", "control", "error", "truncate", "empty"):
        async with answers(scene) as usual:
            await scene.sees(FRONT)
            await until(partial(_many, usual), 60.0, scene.kiosk.journal)
        began = installed.monotonic()
        async with answers(scene) as took:
            front.stall(how)
            # Starting it again clears a halted endpoint; everything else lasts.
            await scene.sees(FRONT if how == "halt" else SPARE)
        noticed = await scene.moment("camera", ("stalled", "lost"), began)
        given = await scene.moment("camera", ("live",), noticed)
        limits.hold(f"camera {how}: noticed", noticed - began, NOTICED_S)
        limits.hold(f"camera {how}: a picture again", given - began, REPLACED_S)
        longer = max(0.0, max(took) - max(usual))
        limits.hold(f"camera {how}: answers of the control API later by", longer, ANSWERS_S)
        front.unplug()
        front.resume()
        front.plug(installed, 0)
    await scene.sees(FRONT)


async def test_a_camera_that_refuses_requests_goes_on_giving_pictures(
    installed: Machine, scene: Scene, cameras: tuple[Camera, Camera]
) -> None:
    front, spare = cameras
    await scene.kiosk.start(microphone=VIRTUAL, speaker=VIRTUAL, answer=ANSWERING)
    front.plug(installed, 0)
    await scene.call()
    await scene.sees(FRONT)
    front.stall("refuse")
    async with scene.kiosk.client() as control:
        with pytest.raises(CallAgentError):
            await control.set_camera_control("brightness", 200)
    await scene.sees(FRONT)
    # Plugged in like this the driver gives up on it: there is no node, and the next camera is taken.
    front.unplug()
    spare.plug(installed, 1)
    front.plug(installed, 0)
    await scene.sees(SPARE)
    front.unplug()
    front.resume()
    front.plug(installed, 0)
    there = await scene.camera("F1")
    async with scene.kiosk.client() as control:
        await control.select("camera", there.id)
    await scene.sees(FRONT)
