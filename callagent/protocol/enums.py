# SPDX-License-Identifier: Apache-2.0
"""Enumerations on the wire; numbers and names as the call kit's documents give them."""

from enum import IntEnum, StrEnum


class MediaType(IntEnum):
    """What a call carries (reference: callkit-client-api 7.1)."""

    UNKNOWN = 0
    AUDIO = 1
    VIDEO = 2


class CallRole(IntEnum):
    NONE = 0
    CALLER = 1
    CALLED = 2


class CallStatus(IntEnum):
    """The engine's state as the application sees it."""

    NONE = 0
    WAITING = 1
    """Calling or ringing."""
    ACCEPT = 2
    """Connected."""


class CallState(StrEnum):
    """What a call engine does, one step finer than `CallStatus`."""

    IDLE = "idle"
    CALLING = "calling"
    """Outgoing, nobody accepted yet."""
    RINGING = "ringing"
    """Incoming, not accepted yet."""
    CONNECTED = "connected"


class LoginState(StrEnum):
    """How a call engine stands with the call service."""

    LOGGED_OUT = "logged_out"
    """Not wanted, kicked, or refused: nobody is reachable here."""
    CONNECTING = "connecting"
    """No session yet."""
    ONLINE = "online"
    RECONNECTING = "reconnecting"
    """The session's connection is lost; a call goes on meanwhile."""


class CallEndReason(IntEnum):
    """Why a call ended or never connected (reference: callkit-client-api 7.1)."""

    UNKNOWN = 0
    HANGUP = 1
    REJECT = 2
    NO_RESPONSE = 3
    OFFLINE = 4
    LINE_BUSY = 5
    CANCELED = 6
    OTHER_DEVICE_ACCEPTED = 7
    OTHER_DEVICE_REJECT = 8
    END_BY_SERVER = 9


class CallResult(StrEnum):
    """What a call record says (reference: callkit-server 5.3)."""

    CANCEL = "Cancel"
    REJECT = "Reject"
    NOT_ANSWER = "NotAnswer"
    NORMAL_END = "NormalEnd"
    CALL_BUSY = "CallBusy"
    INTERRUPT = "Interrupt"


class RecentCallResult(StrEnum):
    """What one user's own history says of a call (reference: callkit-client-api 7.1)."""

    UNKNOWN = "unknown"
    MISSED = "missed"
    INCOMING = "incoming"
    OUTGOING = "outgoing"


class UserStatus(StrEnum):
    """How the service knows a user."""

    ONLINE = "online"
    OFFLINE = "offline"
    """Dropped without logging out."""
    UNLOGINED = "unlogined"
    """Logged out, or never logged in."""
    UNKNOWN = "unknown"
    """No such account."""


class Platform(StrEnum):
    LINUX = "linux"
    WEB = "web"
    OTHER = "other"


class NetworkQuality(IntEnum):
    """reference: callkit-client-api 7.2"""

    UNKNOWN = 0
    EXCELLENT = 1
    GOOD = 2
    POOR = 3
    BAD = 4
    VERY_BAD = 5
    DOWN = 6
    """Nothing arrives, or too little for a call."""


class Placement(StrEnum):
    """Where the media of a call runs."""

    P2P = "p2p"
    SFU = "sfu"
    MESH = "mesh"


class MediaFlow(StrEnum):
    """Which way media goes between a session and one peer of its plan."""

    BOTH = "both"
    SEND = "send"
    """To the media server; this side offers."""
    RECEIVE = "receive"
    """From the media server, which offers."""


class MemberKind(StrEnum):
    USER = "user"
    SIP = "sip"
    STREAM = "stream"
    RECORDER = "recorder"
