# SPDX-License-Identifier: Apache-2.0
"""UserSig: the signed ticket a user logs in with.

The public HMAC-SHA256 algorithm, version 2.0, as the tls-sig-api-v2 libraries
make it: a JSON object, zlib-compressed, base64 with `*-_` in place of `+/=`.
"""

import base64
import hashlib
import hmac
import json
import time
import zlib
from dataclasses import dataclass
from typing import Any

from callagent.protocol.errors import CallAgentError, ErrorCode

DEFAULT_EXPIRE_S = 60 * 86400
"""Two months, the reference's recommendation."""
MAX_EXPIRE_S = 50 * 366 * 86400
MAX_LENGTH = 4096
"""Longer tickets are refused unread."""
_MAX_INFLATED = 16384


@dataclass(frozen=True, slots=True)
class UserSig:
    """What a verified ticket says."""

    app_id: int
    user_id: str
    issued_at: int
    """Unix seconds."""
    expire_s: int
    userbuf: bytes | None = None

    @property
    def expires_at(self) -> int:
        return self.issued_at + self.expire_s


def make_usersig(
    app_id: int,
    secret: str,
    user_id: str,
    expire_s: int = DEFAULT_EXPIRE_S,
    now: float | None = None,
    userbuf: bytes | None = None,
) -> str:
    """A ticket for `user_id`, valid for `expire_s` seconds from `now` (Unix time)."""
    issued = int(time.time() if now is None else now)
    buf = base64.b64encode(userbuf).decode() if userbuf is not None else None
    body: dict[str, str | int] = {
        "TLS.ver": "2.0",
        "TLS.identifier": user_id,
        "TLS.sdkappid": app_id,
        "TLS.expire": expire_s,
        "TLS.time": issued,
    }
    if buf is not None:
        body["TLS.userbuf"] = buf
    body["TLS.sig"] = _signature(app_id, secret, user_id, issued, expire_s, buf)
    packed = zlib.compress(json.dumps(body).encode())
    return base64.b64encode(packed, altchars=b"*-").decode().replace("=", "_")


def peek_usersig(usersig: str) -> UserSig:
    """What a ticket claims, its signature unchecked: only its owner may rely on it.

    Raises CallAgentError USERSIG_INVALID when it is damaged.
    """
    return _claims(_unpack(usersig))


def verify_usersig(usersig: str, app_id: int, secret: str, user_id: str, now: float | None = None) -> UserSig:
    """Read and check a ticket.

    Raises CallAgentError: USERSIG_INVALID when it is forged, damaged or another
    app's or user's; USERSIG_EXPIRED when it was good once.
    """
    body = _unpack(usersig)
    claims = _claims(body)
    if claims.app_id != app_id or claims.user_id != user_id:
        raise _invalid("it was made for another app or user")
    expected = _signature(app_id, secret, user_id, claims.issued_at, claims.expire_s, body.get("TLS.userbuf"))
    if not hmac.compare_digest(str(body.get("TLS.sig")).encode("utf-8", "replace"), expected.encode()):
        raise _invalid("its signature is wrong")
    if (time.time() if now is None else now) >= claims.expires_at:
        raise CallAgentError(ErrorCode.USERSIG_EXPIRED, "The UserSig has expired", "userSig")
    return claims


def _claims(body: dict[str, Any]) -> UserSig:
    buf = body.get("TLS.userbuf")
    try:
        return UserSig(
            app_id=int(body["TLS.sdkappid"]),
            user_id=str(body["TLS.identifier"]),
            issued_at=int(body["TLS.time"]),
            expire_s=int(body["TLS.expire"]),
            userbuf=base64.b64decode(buf) if buf is not None else None,
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _invalid("a field is missing or of the wrong type") from error


def _unpack(usersig: str) -> dict[str, Any]:
    if len(usersig) > MAX_LENGTH:
        raise _invalid("it is too long")
    try:
        packed = base64.b64decode(usersig.replace("_", "=").encode("ascii"), altchars=b"*-", validate=True)
        inflated = zlib.decompressobj().decompress(packed, _MAX_INFLATED)
        body = json.loads(inflated)
    except (ValueError, zlib.error, RecursionError) as error:
        raise _invalid("it is damaged") from error
    if not isinstance(body, dict):
        raise _invalid("it is damaged")
    return body


def _signature(app_id: int, secret: str, user_id: str, issued: int, expire_s: int, buf: str | None) -> str:
    content = f"TLS.identifier:{user_id}\nTLS.sdkappid:{app_id}\nTLS.time:{issued}\nTLS.expire:{expire_s}\n"
    if buf is not None:
        content += f"TLS.userbuf:{buf}\n"
    digest = hmac.new(secret.encode(), content.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def _invalid(why: str) -> CallAgentError:
    return CallAgentError(ErrorCode.USERSIG_INVALID, f"The UserSig is not valid: {why}", "userSig")
