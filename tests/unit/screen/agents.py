# SPDX-License-Identifier: GPL-3.0-or-later
"""What an agent says, for screens without one."""

from typing import Any

from callagent.protocol import control as api
from callagent.protocol.enums import CallEndReason, CallRole, CallState, LoginState, MediaType

CALL_ID = "0b0e8f0e-7c0c-4f0a-9d4e-1f2a3b4c5d6e"
INFO = {"roomId": 7, "role": 2}


def slot(state: str = "live", **details: Any) -> api.SlotStatus:
    return api.SlotStatus(state=api.SlotState(state), details=details)


def call_of(*peers: api.PeerStatus | str, **values: Any) -> api.CallStatusData:
    members = [
        peer
        if isinstance(peer, api.PeerStatus)
        else api.PeerStatus(user_id=peer, audio_available=True, video_available=True)
        for peer in peers
    ]
    call: dict[str, Any] = {
        "call_id": CALL_ID,
        "role": CallRole.CALLED,
        "media_type": MediaType.VIDEO,
        "peers": members,
        **values,
    }
    return api.CallStatusData(**call)


def status(state: CallState = CallState.IDLE, **values: Any) -> api.StatusData:
    data: dict[str, Any] = {
        "state": state,
        "login": LoginState.ONLINE,
        "service_url": "https://calls.example.org:8443",
        "sdk_app_id": 1400000001,
        "user_id": "lobby",
        "device_id": "linux-1",
        "version": "0.1.0",
        "uptime_s": 3600.0,
        "slots": {"camera": slot(), "microphone": slot(muted=False), "speaker": slot(volume=80)},
        "counters": {"missed_calls": 0},
        **values,
    }
    return api.StatusData(**data)


def told(status: api.StatusData) -> api.EventMessage:
    return api.EventMessage(event=api.STATUS_EVENT, time=0, data=status.wire())


def event(name: str, **data: Any) -> api.EventMessage:
    return api.EventMessage(event=name, time=1, data={"callId": CALL_ID, **data})


def received(caller: str = "reception", name: str = "", remaining: float = 30.0) -> api.EventMessage:
    return event(
        "onCallReceived",
        callerId=caller,
        callerName=name,
        calleeIdList=["lobby"],
        mediaType=2,
        info=INFO,
        remaining=remaining,
    )


def ended(
    reason: CallEndReason = CallEndReason.HANGUP, total: float = 61.0, user: str = "reception"
) -> api.EventMessage:
    return event("onCallEnd", mediaType=2, reason=int(reason), userId=user, totalTime=total, info=INFO)


def not_connected(
    reason: CallEndReason, role: CallRole = CallRole.CALLER, user: str = "reception"
) -> api.EventMessage:
    return event(
        "onCallNotConnected",
        mediaType=2,
        reason=int(reason),
        userId=user,
        info=INFO | {"role": int(role)},
    )


IDLE = status()
RINGING = status(CallState.RINGING, call=call_of("reception"))
DIALING = status(CallState.CALLING, call=call_of("reception", role=CallRole.CALLER))
CONNECTED = status(CallState.CONNECTED, call=call_of("reception", began_s=75.0))
