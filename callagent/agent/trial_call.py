# SPDX-License-Identifier: GPL-3.0-or-later
"""One real video call between two agents of this process, judged by what reached the other side."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from callagent.agent.agent import Agent
from callagent.call.notifications import EngineEvent, OnFirstFrame
from callagent.protocol.enums import CallResult, CallState, LoginState, MediaType
from callagent.protocol.events import OnCallBegin, OnCallEnd, OnCallReceived

TALK_S = 4.0
STEP_S = 15.0
LEAST_FPS = 5.0
LEAST_TONE_DB = 20.0


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two, and what may be expected of what it sends."""

    name: str
    agent: Agent
    coded_camera: bool
    """Its camera is a virtual one, whose frame code must be read on the other side."""
    tone_hz: float | None
    """Its microphone is a virtual one that gives this tone."""


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    ok: bool
    figure: str = ""


@dataclass
class _Watch:
    """When each event of one agent came first, in seconds on the monotonic clock."""

    side: Side
    times: dict[str, float] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.leave = self.side.agent.engine.add_observer(self._observe)

    def _observe(self, event: EngineEvent) -> None:
        match event.payload:
            case OnFirstFrame(kind=kind):
                self.times.setdefault(f"first {kind}", time.monotonic())
            case OnCallReceived() | OnCallBegin() | OnCallEnd():
                self.times.setdefault(event.name, time.monotonic())
        self._changed.set()

    def online(self) -> bool:
        return self.side.agent.engine.state.login_state is LoginState.ONLINE

    def idle(self) -> bool:
        return self.side.agent.engine.state.call_state is CallState.IDLE

    async def saw(self, event: str) -> bool:
        return await self.until(partial(self.times.__contains__, event))

    async def until(self, condition: Callable[[], bool]) -> bool:
        """False when the condition does not hold in time."""
        try:
            async with asyncio.timeout(STEP_S):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True


async def trial_call(caller: Side, callee: Side) -> list[Finding]:
    """Call, answer, talk for four seconds, hang up; every step's finding, up to the first that stops it.

    Both agents must be started. Raises CallAgentError when the service refuses a step.
    """
    here, there = _Watch(caller), _Watch(callee)
    try:
        return await _call(here, there)
    finally:
        here.leave()
        there.leave()


async def _call(here: _Watch, there: _Watch) -> list[Finding]:
    online = await here.until(here.online) and await there.until(there.online)
    findings = [Finding("both agents are logged in", online)]
    if not online:
        return findings
    dialled = time.monotonic()
    await here.side.agent.engine.calls([there.side.agent.user_id], MediaType.VIDEO)
    rings = await there.saw("onCallReceived")
    findings.append(Finding(f"{there.side.name} rings", rings, _took(dialled, there, "onCallReceived")))
    if not rings:
        return findings
    # Its policy's courtesy pause is no part of the answer's speed.
    answered = time.monotonic()
    await there.side.agent.engine.accept()
    begun = await here.saw("onCallBegin") and await there.saw("onCallBegin")
    findings.append(Finding("it answers, the call begins", begun, _took(answered, here, "onCallBegin")))
    for watch in (here, there):
        for kind, what in (("video", "picture"), ("audio", "sound")):
            arrived = await watch.saw(f"first {kind}")
            figure = _took(answered, watch, f"first {kind}") + " after the answer"
            findings.append(Finding(f"first {what} at {watch.side.name}", arrived, figure))
    findings += await _talk(here.side, there.side)
    findings += await _hang_up(here, there)
    return findings


async def _talk(caller: Side, callee: Side) -> list[Finding]:
    directions = ((caller, callee), (callee, caller))
    screens = [listener.agent.studio.screen for listener, _ in directions]
    before = [(screen.frames, screen.read) for screen in screens]
    began = time.monotonic()
    await asyncio.sleep(TALK_S)
    took = time.monotonic() - began
    findings = []
    for (listener, sender), screen, (frames, read) in zip(directions, screens, before, strict=True):
        fps, codes = (screen.frames - frames) / took, screen.read - read
        findings.append(
            Finding(
                f"pictures at {listener.name}", fps >= LEAST_FPS, f"{fps:.1f} per second, {_codec(listener)}"
            )
        )
        if sender.coded_camera:
            what = f"the camera's frame counter is read at {listener.name}"
            findings.append(Finding(what, codes > 0, f"{codes} times"))
        findings += _hear(listener, sender)
    return findings


def _hear(listener: Side, sender: Side) -> list[Finding]:
    if sender.tone_hz is None:
        return []
    heard_db = listener.agent.studio.heard_db(sender.tone_hz)
    if heard_db is None:
        return []
    figure = f"{heard_db:.0f} dB over its neighbours"
    return [Finding(f"the microphone's tone is heard at {listener.name}", heard_db >= LEAST_TONE_DB, figure)]


def _codec(listener: Side) -> str:
    frame = listener.agent.studio.screen.last_frame
    return "none" if frame is None else f"{frame.width}x{frame.height}"


async def _hang_up(here: _Watch, there: _Watch) -> list[Finding]:
    codecs = await here.side.agent.engine.media_statistics()
    codec = ", ".join(str(figures.get("video_codec", "none")) for figures in codecs.values())
    await here.side.agent.engine.hangup()
    ended = await here.saw("onCallEnd") and await there.saw("onCallEnd")
    idle = await here.until(here.idle) and await there.until(there.idle)
    record = (await here.side.agent.engine.history(limit=1))[0]
    return [
        Finding("video codec", bool(codec), codec),
        Finding("hung up, both sides are idle", ended and idle),
        Finding(
            "the call is on record",
            record.call_result is CallResult.NORMAL_END,
            f"{record.call_result}, {record.total_time:.1f} s",
        ),
    ]


def _took(begin: float, watch: _Watch, event: str) -> str:
    end = watch.times.get(event)
    return "never" if end is None else f"{(end - begin) * 1000:.0f} ms"
