# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong, in words a visitor understands: keys of the texts, most important first. Pure."""

from dataclasses import dataclass
from typing import Literal

from callagent.protocol.control import SlotState, StatusData
from callagent.protocol.enums import LoginState, NetworkQuality
from callagent.protocol.errors import ErrorCode
from callagent.screen.known import Known

Weight = Literal["error", "warning", "calm"]
FAILURE_S = 6.0
"""How long somebody is told that what they asked for did not work."""
STARTING_S = 20.0
"""An agent that was started so recently may still be looking for its service and its devices."""

_FAILURES = {
    ErrorCode.SIGNALING_SEND_FAIL: "failed_network",
    ErrorCode.NOT_LOGGED_IN: "failed_network",
    ErrorCode.INIT_FAIL: "failed_network",
    ErrorCode.SERVICE_STOPPING: "failed_network",
    ErrorCode.USER_NEVER_LOGGED_IN: "failed_unknown_user",
    ErrorCode.INVITE_HANDLED: "failed_too_late",
    ErrorCode.CALL_NOT_EXIST: "failed_too_late",
    ErrorCode.PERMISSION_DENIED: "failed_not_allowed",
}
_SLOTS = {
    ("camera", "absent"): "camera_absent",
    ("camera", "failed"): "camera_failed",
    ("microphone", "absent"): "microphone_absent",
    ("microphone", "failed"): "microphone_failed",
    ("speaker", "absent"): "speaker_absent",
    ("speaker", "failed"): "speaker_failed",
}


@dataclass(frozen=True, slots=True)
class Notice:
    key: str
    """Of the texts."""
    weight: Weight
    who: str = ""
    """A user id the text names as {name}."""


def notices(known: Known, now: float) -> tuple[Notice, ...]:
    """What people in front of the screen should know now, at most one of each key."""
    status = known.status
    if status is None:
        return ()
    found = [*_failure(known, now), *_network(status), *_privacy(known), *_devices(status), *_peers(known)]
    return tuple(dict.fromkeys(found))


def _failure(known: Known, now: float) -> list[Notice]:
    failure = known.failure
    if failure is None or not 0 <= now - failure.at < FAILURE_S:
        return []
    codes = {int(code): key for code, key in _FAILURES.items()}
    return [Notice(codes.get(failure.code, "failed"), "error")]


def _network(status: StatusData) -> list[Notice]:
    match status.login:
        case LoginState.ONLINE:
            return []
        case LoginState.LOGGED_OUT:
            return [Notice("logged_out", "error")]
        case LoginState.CONNECTING if status.uptime_s < STARTING_S:
            return [Notice("connecting", "calm")]
        case _:
            return [Notice("no_network", "error")]


def _privacy(known: Known) -> list[Notice]:
    assert known.status is not None
    own = [Notice("privacy_on", "warning")] if known.status.privacy.on else []
    return own + [Notice("peer_private", "calm", user) for user in known.peers if user in known.private]


def _devices(status: StatusData) -> list[Notice]:
    """A privacy switch closes camera and microphone: that is told once, not as three faults."""
    if status.privacy.on:
        return []
    return [
        Notice(_SLOTS[name, str(slot.state)], "warning")
        for name, slot in sorted(status.slots.items())
        if slot.state in (SlotState.ABSENT, SlotState.FAILED) and (name, str(slot.state)) in _SLOTS
    ]


def _peers(known: Known) -> list[Notice]:
    assert known.status is not None
    call = known.status.call
    if call is None or call.began_s is None:
        return []
    broken = [Notice("reconnecting", "warning", peer.user_id) for peer in call.peers if peer.reconnecting]
    if broken:
        return broken
    weak = [user for user, quality in known.quality.items() if quality >= NetworkQuality.VERY_BAD]
    own = [Notice("network_weak", "calm")] if known.status.user_id in weak else []
    return own + [Notice("peer_network_weak", "calm", user) for user in known.peers if user in weak]
