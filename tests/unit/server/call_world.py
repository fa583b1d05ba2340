# SPDX-License-Identifier: GPL-3.0-or-later
"""A call's state with people around it: their sessions, and what each was told."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from callagent.protocol.enums import MediaType
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.events import AnyEventData, event_name
from callagent.server.calls import state
from callagent.server.calls.commands import Command, Invite, Step, ToUser
from callagent.server.calls.model import Call, CallRecord

RING_S = 30.0


def invite(callees: tuple[str, ...] = ("B",), busy: tuple[str, ...] = (), **more: Any) -> Invite:
    return Invite(
        app_id=1,
        call_id="c",
        room_id=7,
        media_type=more.get("media_type", MediaType.VIDEO),
        caller_id="A",
        caller_name="Anna",
        session_id="A1",
        callees=callees,
        busy=frozenset(busy),
        timeout_s=RING_S,
        user_data="door",
        sfu=more.get("sfu", False),
    )


@dataclass
class World:
    """Sessions by user, and what each was told."""

    sessions: dict[str, list[str]]
    call: Call | None = None
    media_server: bool = False
    now: float = 1000.0
    told: dict[str, list[AnyEventData]] = field(default_factory=dict)
    records: list[CallRecord] = field(default_factory=list)

    def take(self, step: Step) -> None:
        self.call = step.call
        if step.record is not None:
            self.records.append(step.record)
        for event in step.events:
            if isinstance(event.to, ToUser):
                targets = [s for s in self.sessions[event.to.user_id] if s != event.to.but_session]
            else:
                targets = [event.to.session_id]
            for session in targets:
                self.told.setdefault(session, []).append(event.data)

    def start(self, **options: Any) -> "World":
        self.take(state.start(invite(**options), self.now))
        return self

    def do(self, command: Command) -> "World":
        assert self.call is not None
        self.take(state.apply(self.call, command, self.now, media_server=self.media_server))
        return self

    def refusal(self, command: Command) -> ErrorCode:
        assert self.call is not None
        with pytest.raises(CallAgentError) as refused:
            state.apply(self.call, command, self.now, media_server=self.media_server)
        return refused.value.code

    def heard(self, session: str) -> list[str]:
        """The events of a session since the last look, short: name, reason, who."""
        return [short(data) for data in self.told.pop(session, [])]

    @property
    def the_call(self) -> Call:
        assert self.call is not None
        return self.call


def short(data: AnyEventData) -> str:
    parts = [str(int(getattr(data, "reason", -1))), str(getattr(data, "user_id", ""))]
    inside = ",".join(part for part in parts if part not in ("-1", ""))
    return f"{event_name(data)}({inside})"


def two() -> World:
    return World({"A": ["A1", "A2"], "B": ["B1", "B2"]})
