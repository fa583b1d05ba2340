# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call makes the kiosk do. Engine and devices write down what is asked of them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from callagent.agent.attendant import Attendant
from callagent.agent.studio import Studio
from callagent.call.engine import CallEngine
from callagent.call.notifications import OnStatusChanged, Payload, engine_event
from callagent.call.status import EngineStatus
from callagent.config.answer import AnswerConfig
from callagent.protocol.enums import CallEndReason, CallRole, CallState, MediaType
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.events import CallInfo, OnCallBegin, OnCallEnd, OnCallNotConnected, OnCallReceived

CALL_ID = "46d5071b-73e2-456f-84c0-c4580c68024c"


@dataclass
class Kiosk:
    """Plays engine and studio at once and writes down what is asked of them."""

    done: list[str] = field(default_factory=list)
    state: EngineStatus = field(default_factory=EngineStatus)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    refuse: bool = False

    def __getattr__(self, name: str) -> Any:
        """The studio's methods: synchronous, every one noted with its arguments."""

        def note(**arguments: object) -> None:
            self.done.append(" ".join([name, *(f"{key}={value}" for key, value in arguments.items())]))

        return note

    async def accept(self) -> None:
        await self._ask("accept")

    async def reject(self) -> None:
        await self._ask("reject")

    async def set_camera(self, on: bool) -> None:
        await self._ask(f"set_camera {on}")

    async def _ask(self, what: str) -> None:
        self.done.append(what)
        self.asked.set()
        if self.refuse:
            raise CallAgentError(ErrorCode.INVITE_HANDLED, "The call is over")


@pytest.fixture
async def kiosk() -> Kiosk:
    return Kiosk()


@pytest.fixture
async def attendants(kiosk: Kiosk) -> AsyncIterator[list[Attendant]]:
    made: list[Attendant] = []
    yield made
    for attendant in made:
        await attendant.close()


def attendant_of(
    kiosk: Kiosk,
    made: list[Attendant],
    answer: dict[str, Any] | None = None,
    *,
    hour: int = 12,
    mute_ring: bool = False,
) -> Attendant:
    attendant = Attendant(
        cast(CallEngine, kiosk),
        cast(Studio, kiosk),
        AnswerConfig.model_validate(answer or {}),
        mute_ring=mute_ring,
        now=lambda: datetime(2026, 11, 21, hour, tzinfo=UTC),
    )
    made.append(attendant)
    return attendant


def info(role: CallRole) -> CallInfo:
    return CallInfo(room_id=1, role=role)


def invitation(caller: str = "anna") -> OnCallReceived:
    return OnCallReceived(
        call_id=CALL_ID,
        caller_id=caller,
        caller_name="",
        callee_id_list=["kiosk"],
        media_type=MediaType.VIDEO,
        info=info(CallRole.CALLED),
        remaining=30,
    )


def begin(role: CallRole, media_type: MediaType = MediaType.VIDEO) -> OnCallBegin:
    return OnCallBegin(call_id=CALL_ID, media_type=media_type, info=info(role))


def not_connected(role: CallRole) -> OnCallNotConnected:
    return OnCallNotConnected(
        call_id=CALL_ID,
        media_type=MediaType.VIDEO,
        reason=CallEndReason.CANCELED,
        user_id="anna",
        info=info(role),
    )


END = OnCallEnd(
    call_id=CALL_ID,
    media_type=MediaType.VIDEO,
    reason=CallEndReason.HANGUP,
    user_id="anna",
    total_time=1.0,
    info=info(CallRole.CALLED),
)


def tell(attendant: Attendant, *payloads: Payload) -> None:
    for payload in payloads:
        attendant.on_event(engine_event(payload))


async def test_it_rings_until_the_call_begins(kiosk: Kiosk, attendants: list[Attendant]) -> None:
    attendant = attendant_of(kiosk, attendants)
    tell(attendant, invitation())
    assert kiosk.done == ["play_ringing", "warm_up"]
    tell(attendant, begin(CallRole.CALLED), END)
    assert kiosk.done[2:] == ["stop_sounds", "begin_call camera=True", "end_call sound=True"]
    assert attendant.missed == 0


async def test_a_call_that_was_not_answered_is_missed_and_ends_quietly(
    kiosk: Kiosk, attendants: list[Attendant]
) -> None:
    attendant = attendant_of(kiosk, attendants)
    tell(attendant, invitation(), not_connected(CallRole.CALLED))
    assert kiosk.done == ["play_ringing", "warm_up", "end_call sound=False"]
    assert attendant.missed == 1


async def test_an_audio_call_leaves_the_camera_closed(kiosk: Kiosk, attendants: list[Attendant]) -> None:
    tell(attendant_of(kiosk, attendants), begin(CallRole.CALLED, MediaType.AUDIO))
    assert kiosk.done[-1] == "begin_call camera=False"


async def test_camera_off_by_policy_is_told(kiosk: Kiosk, attendants: list[Attendant]) -> None:
    tell(attendant_of(kiosk, attendants, {"camera": False}), begin(CallRole.CALLED))
    assert "begin_call camera=False" in kiosk.done
    await asyncio.wait_for(kiosk.asked.wait(), 5)
    assert kiosk.done[-1] == "set_camera False"


async def test_an_automatic_answer_chimes_first(kiosk: Kiosk, attendants: list[Attendant]) -> None:
    attendant = attendant_of(kiosk, attendants, {"mode": "auto", "from": ["anna"], "delay_s": 0.05})
    kiosk.state = replace(kiosk.state, call_state=CallState.RINGING, call_id=CALL_ID)
    tell(attendant, invitation())
    assert kiosk.done == ["play_chime"]
    await asyncio.wait_for(kiosk.asked.wait(), 5)
    assert kiosk.done == ["play_chime", "accept"]


async def test_an_automatic_answer_comes_too_late(kiosk: Kiosk, attendants: list[Attendant]) -> None:
    """Cancelled within the delay: nothing is accepted, least of all the next call."""
    attendant = attendant_of(kiosk, attendants, {"mode": "auto", "from": "anyone", "delay_s": 0.05})
    tell(attendant, invitation(), not_connected(CallRole.CALLED))
    kiosk.state = replace(kiosk.state, call_state=CallState.RINGING, call_id="another")
    await asyncio.sleep(0.15)
    assert "accept" not in kiosk.done


async def test_an_answer_the_service_refuses_breaks_nothing(
    kiosk: Kiosk, attendants: list[Attendant]
) -> None:
    attendant = attendant_of(kiosk, attendants, {"mode": "reject"})
    kiosk.refuse = True
    tell(attendant, invitation())
    await asyncio.wait_for(kiosk.asked.wait(), 5)
    tell(attendant, not_connected(CallRole.CALLED))
    assert kiosk.done == ["reject", "end_call sound=False"]


@pytest.mark.parametrize(("hour", "rings"), [(12, True), (23, False), (3, False), (6, True)])
async def test_do_not_disturb_has_hours(
    kiosk: Kiosk, attendants: list[Attendant], hour: int, rings: bool
) -> None:
    hours = [{"from": "22:00", "to": "06:00"}]
    tell(attendant_of(kiosk, attendants, {"do_not_disturb": hours}, hour=hour), invitation())
    assert kiosk.done == (["play_ringing", "warm_up"] if rings else [])


async def test_mute_ring_silences_ringing_only(kiosk: Kiosk, attendants: list[Attendant]) -> None:
    attendant = attendant_of(kiosk, attendants, mute_ring=True)
    tell(attendant, invitation())
    assert kiosk.done == ["warm_up"]
    tell(attendant, begin(CallRole.CALLED), END)
    assert kiosk.done[-1] == "end_call sound=True"


async def test_dialing_sounds_until_somebody_answers(kiosk: Kiosk, attendants: list[Attendant]) -> None:
    attendant = attendant_of(kiosk, attendants)
    kiosk.state = replace(kiosk.state, call_state=CallState.CALLING)
    changed = OnStatusChanged(
        login_state="online",
        call_state="calling",
        call_id="",
        role=CallRole.CALLER,
        media_type=MediaType.VIDEO,
    )
    tell(attendant, changed, changed)
    assert kiosk.done == ["play_dialing"]
    tell(attendant, begin(CallRole.CALLER))
    assert kiosk.done[1:] == ["stop_sounds", "begin_call camera=True"]
