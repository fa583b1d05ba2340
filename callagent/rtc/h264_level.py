# SPDX-License-Identifier: GPL-3.0-or-later
"""How large pictures may be that a description lets the other side send (profile-level-id). Pure.

aiortc offers constrained baseline at level 3.1 alone, 1280x720 at 30 pictures a second, and compares
profiles without their levels; with level-asymmetry-allowed=1, which it offers too, the level of a
description is that of its sender's decoder (RFC 6184 section 8.1). So it is enough to say another one.
"""

import re

LEAST = 31
"""Level 3.1, as level_idc: RFC 7742 section 6.2."""
_LIMITS = {31: (3600, 108_000), 32: (5120, 216_000), 40: (8192, 245_760), 42: (8704, 522_240)}
"""By level_idc: macroblocks in a picture, and in a second (ITU-T H.264, table A-1)."""
MOST = 51
_PROFILE_LEVEL_ID = re.compile(r"(?m)^(a=fmtp:.*\bprofile-level-id=[0-9a-fA-F]{4})[0-9a-fA-F]{2}")


def level_for(width: int, height: int, fps: int) -> int:
    """The level_idc that pictures of this size and rate need, 3.1 at least."""
    macroblocks = ((width + 15) // 16) * ((height + 15) // 16)
    for level, (picture, second) in _LIMITS.items():
        if macroblocks <= picture and macroblocks * fps <= second:
            return level
    return MOST


def with_level(sdp: str, level_idc: int) -> str:
    """The description with this level in every H.264 format of it."""
    return _PROFILE_LEVEL_ID.sub(rf"\g<1>{level_idc:02x}", sdp)
