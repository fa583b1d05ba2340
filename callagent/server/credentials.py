# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets handed out once and kept as hashes only. All are random, so a plain hash is enough."""

import hashlib
import hmac
import secrets

_CODE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Without the characters people mix up."""
_CODE_GROUPS = 3
_CODE_GROUP_LENGTH = 4


def new_secret() -> str:
    """256 bits of hexadecimal text, the shape of an app's secret key."""
    return secrets.token_hex(32)


def new_token() -> str:
    """A resume token or device key: 256 bits, URL-safe."""
    return secrets.token_urlsafe(32)


def new_session_id() -> str:
    return secrets.token_hex(8)


def new_enrolment_code() -> str:
    """Typed by a person: 58 bits as `XXXX-XXXX-XXXX`."""
    groups = (
        "".join(secrets.choice(_CODE_ALPHABET) for _ in range(_CODE_GROUP_LENGTH))
        for _ in range(_CODE_GROUPS)
    )
    return "-".join(groups)


def typed_code(code: str) -> str:
    """The code as it was made, however a person typed it."""
    bare = "".join(character for character in code.upper() if character in _CODE_ALPHABET)
    groups = (bare[i : i + _CODE_GROUP_LENGTH] for i in range(0, len(bare), _CODE_GROUP_LENGTH))
    return "-".join(groups)


def hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def matches(secret: str, secret_hash: str) -> bool:
    return hmac.compare_digest(hashed(secret), secret_hash)
