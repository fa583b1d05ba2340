# SPDX-License-Identifier: Apache-2.0
"""Every number a failure can have, and the exception that carries it.

Numbers below 90000 are the call kit's own (reference: callkit-client-api 9);
90000 to 90099 are ours, for what those documents do not name.
"""

from enum import IntEnum

from callagent.protocol import taken_out


class ErrorCode(IntEnum):
    OK = 0

    PERMISSION_DENIED = -1101
    INIT_FAIL = -1201
    """An API was used before login."""
    PARAM_INVALID = -1202
    REQUEST_REFUSED = -1203
    """The present state does not allow it."""
    REQUEST_REPEATED = -1204
    """The same request is still running."""
    SCENE_NOT_SUPPORTED = -1205
    CAMERA_START_FAIL = -1301
    MIC_START_FAIL = -1302
    CAMERA_NOT_AUTHORIZED = -1314
    CAMERA_SET_PARAM_FAIL = -1315
    CAMERA_OCCUPY = -1316
    MIC_NOT_AUTHORIZED = -1317
    MIC_SET_PARAM_FAIL = -1318
    MIC_OCCUPY = -1319
    SIGNALING_SEND_FAIL = -1401
    """The request could not reach the service; it may be tried again."""

    NOT_LOGGED_IN = 6014
    USERSIG_EXPIRED = 6206
    INVITE_HANDLED = 8010
    """The call is unknown, over, or answered already."""
    USER_NEVER_LOGGED_IN = 8021
    NO_MICROPHONE = 60003
    NO_CAMERA = 60004
    USERSIG_INVALID = 70002
    SERVER_INTERNAL = 101001
    SERVER_PARAM_INVALID = 101002
    CALL_NOT_EXIST = 101004
    RECORD_NOT_EXIST = 101050

    MALFORMED_MESSAGE = 90001
    """Not JSON, not an object, or a field missing or of the wrong type."""
    UNKNOWN_MESSAGE_TYPE = 90002
    MESSAGE_TOO_LARGE = 90003
    PROTOCOL_VERSION = 90004
    UNKNOWN_APP = 90005
    DEVICE_KEY_INVALID = 90006
    ENROLMENT_CODE_INVALID = 90007
    PEER_UNREACHABLE = 90008
    """The session a media message is meant for is not there."""
    KICKED_OFFLINE = 90009
    """Another login of this user, or of this very device, took over."""
    SERVICE_STOPPING = 90010
    RESUME_IMPOSSIBLE = 90011
    """The session to resume is gone or its events are; log in anew."""
    USER_BLOCKED = 90012
    """The operator blocked the account: it cannot log in, and nobody can call it."""
    CALL_NOT_ALLOWED = 90013
    """The service's policy does not let this user call that one."""
    TOO_MANY_REQUESTS = 90014
    """This user asks for more than the service's limits; try again in a moment."""
    MEDIA_FAILED = 90020
    """No way for the media between the two sides was found."""
    SOUND_FILE = 90021
    """A configured sound cannot be used; the built-in one plays instead."""
    DEVICE_SPEAKER = 90022
    """The speaker cannot be used."""


class CallAgentError(Exception):
    """A failure with a number, a sentence for a person and, for bad input, the field."""

    def __init__(self, code: ErrorCode, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code = ErrorCode(taken_out.code(code))
        self.message = message
        self.field = field

    def __str__(self) -> str:
        where = f" ({self.field})" if self.field else ""
        return f"{self.message}{where} [{int(self.code)}]"
