# SPDX-License-Identifier: GPL-3.0-or-later
"""What the screen knows of the agent, and how messages change it. Pure: times are handed in.

The agent's status decides what is shown; events only add what a status does not tell: names, why a call
ended, who speaks. So no order of messages, and none that is lost, can leave the screen in a wrong state for
longer than to the next status.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from callagent.protocol import control as api
from callagent.protocol import events
from callagent.protocol.control import EventMessage, StatusData
from callagent.protocol.enums import CallEndReason, CallRole, CallState

SPEAKING_LEVEL = 8
"""Of 100: from here on somebody is shown as speaking."""
VOICE_LASTS_S = 1.5
QUALITY_EVENT = "onUserNetworkQualityChanged"
VOICES_EVENT = "onUserVoiceVolumeChanged"


@dataclass(frozen=True, slots=True)
class Ended:
    """A call that is over."""

    at: float
    reason: CallEndReason
    role: CallRole
    user_id: str
    """Who caused it."""
    total_s: float | None = None
    """None: it was never connected."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Something somebody asked for here that did not work."""

    at: float
    command: str
    code: int


@dataclass(frozen=True, slots=True)
class Known:
    """Times are seconds on the monotonic clock."""

    status: StatusData | None = None
    """None: there is no agent now."""
    status_at: float = 0.0
    offered: frozenset[str] = frozenset()
    """Paths of the agent's control API."""
    names: Mapping[str, str] = field(default_factory=dict)
    ring_until: float | None = None
    outcomes: Mapping[str, str] = field(default_factory=dict)
    """Of those this side calls: `reject`, `no_response`, `busy`."""
    ended: Ended | None = None
    voices: Mapping[str, float] = field(default_factory=dict)
    """By user: until when they count as speaking."""
    quality: Mapping[str, int] = field(default_factory=dict)
    """By user: `NetworkQuality`."""
    private: frozenset[str] = frozenset()
    """Other members whose privacy switch is on."""
    failure: Failure | None = None
    missed_seen: int | None = None
    """Missed calls somebody here has looked at, or that were before this screen; None: no status yet."""

    @property
    def call_state(self) -> CallState:
        return CallState.IDLE if self.status is None else self.status.state

    @property
    def peers(self) -> tuple[str, ...]:
        call = self.status.call if self.status is not None else None
        return tuple(peer.user_id for peer in call.peers) if call is not None else ()

    @property
    def missed(self) -> int:
        return max(0, _missed_calls(self.status) - (self.missed_seen or 0)) if self.status is not None else 0


def follow(known: Known, message: EventMessage, now: float) -> Known:
    """After this message. One that cannot be understood changes nothing."""
    try:
        return _follow(known, message, now)
    except (ValidationError, TypeError, ValueError, KeyError, AttributeError):
        # Of another version than this screen; the status goes on telling what counts.
        return known


def _follow(known: Known, message: EventMessage, now: float) -> Known:
    name = message.event
    if name == api.STATUS_EVENT:
        return _status(known, StatusData.model_validate(message.data), now)
    if name == VOICES_EVENT:
        return _voices(known, message.data, now)
    if name == QUALITY_EVENT:
        return _qualities(known, message.data)
    if name in _TIMED:
        return _TIMED[name](known, events.EVENT_TYPES[name].model_validate(message.data), now)
    if name in _STEPS:
        return _STEPS[name](known, events.EVENT_TYPES[name].model_validate(message.data))
    return known


def lost(known: Known) -> Known:
    """The agent is gone. What it said of the past stays: the names, and the missed calls already seen."""
    return Known(names=known.names, missed_seen=known.missed_seen, ended=known.ended)


def failed(known: Known, command: str, code: int, now: float) -> Known:
    return replace(known, failure=Failure(now, command, code))


def seen(known: Known) -> Known:
    """Somebody is here and has looked at the missed calls."""
    return known if known.status is None else replace(known, missed_seen=_missed_calls(known.status))


def _missed_calls(status: StatusData) -> int:
    return status.counters.get("missed_calls", 0)


def _status(known: Known, status: StatusData, now: float) -> Known:
    before = known.status.call.call_id if known.status is not None and known.status.call else None
    call_id = status.call.call_id if status.call else None
    known = replace(known, status=status, status_at=now)
    # An agent that was started anew counts from 0.
    missed = _missed_calls(status)
    known = replace(
        known, missed_seen=min(missed if known.missed_seen is None else known.missed_seen, missed)
    )
    if status.state is CallState.CONNECTED or (status.state is not CallState.IDLE and call_id != before):
        known = replace(known, ended=None)
    if status.state is not CallState.RINGING:
        known = replace(known, ring_until=None)
    if status.state is CallState.IDLE or (before and call_id and call_id != before):
        # Nothing of a call outlives it.
        known = replace(known, voices={}, quality={}, private=frozenset())
        if status.state is CallState.IDLE:
            known = replace(known, outcomes={})
    return known


def _voices(known: Known, data: Mapping[str, Any], now: float) -> Known:
    until = {user: known.voices[user] for user in known.voices if known.voices[user] > now}
    for user, level in dict(data["volumeMap"]).items():
        if int(level) >= SPEAKING_LEVEL:
            until[str(user)] = now + VOICE_LASTS_S
    return replace(known, voices=until)


def _qualities(known: Known, data: Mapping[str, Any]) -> Known:
    told = {str(each["userId"]): int(each["quality"]) for each in data["networkQualityList"]}
    return replace(known, quality={**known.quality, **told})


def _received(known: Known, data: events.OnCallReceived, now: float) -> Known:
    names = dict(known.names)
    if data.caller_name:
        names[data.caller_id] = data.caller_name
    return replace(known, names=names, ring_until=now + data.remaining, ended=None, outcomes={})


def _ended(known: Known, data: events.OnCallEnd, now: float) -> Known:
    ended = Ended(now, data.reason, data.info.role, data.user_id, data.total_time)
    return replace(known, ended=ended)


def _not_connected(known: Known, data: events.OnCallNotConnected, now: float) -> Known:
    return replace(known, ended=Ended(now, data.reason, data.info.role, data.user_id))


def _outcome(name: str) -> Callable[[Known, Any], Known]:
    def step(known: Known, data: events.UserEventData) -> Known:
        return replace(known, outcomes={**known.outcomes, data.user_id: name})

    return step


def _joined(known: Known, data: events.OnUserJoin) -> Known:
    return _private(known, data.user_id, data.privacy)


def _privacy(known: Known, data: events.OnUserPrivacy) -> Known:
    return _private(known, data.user_id, data.is_privacy_on)


def _private(known: Known, user_id: str, on: bool) -> Known:
    return replace(known, private=known.private | {user_id} if on else known.private - {user_id})


def _left(known: Known, data: events.OnUserLeave) -> Known:
    return replace(
        known,
        private=known.private - {data.user_id},
        voices={user: until for user, until in known.voices.items() if user != data.user_id},
    )


_TIMED: dict[str, Callable[[Known, Any, float], Known]] = {
    "onCallReceived": _received,
    "onCallEnd": _ended,
    "onCallNotConnected": _not_connected,
}
_STEPS: dict[str, Callable[[Known, Any], Known]] = {
    "onUserReject": _outcome("reject"),
    "onUserNoResponse": _outcome("no_response"),
    "onUserLineBusy": _outcome("busy"),
    "onUserJoin": _joined,
    "onUserPrivacy": _privacy,
    "onUserLeave": _left,
}
