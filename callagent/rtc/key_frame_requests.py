# SPDX-License-Identifier: GPL-3.0-or-later
"""When to ask a sender for a key frame."""

import math

ASK_AGAIN_S = 0.3


class KeyFrameRequests:
    """Merges what assembler and decoder ask for: one request per 300 ms until a key frame comes. Pure.

    Key frames that come and cannot be decoded either bring no quicker requests.
    """

    def __init__(self) -> None:
        self.asked = 0
        """How many requests were to be sent."""
        self._wanted = False
        self._asked_at = -math.inf

    def want(self, now: float) -> bool:
        """A key frame is needed. True: send the request now."""
        self._wanted = True
        return self.due(now)

    def due(self, now: float) -> bool:
        """Whether a request is to be sent now, for the first time or because the last one brought nothing."""
        if not self._wanted or now - self._asked_at < ASK_AGAIN_S:
            return False
        self._asked_at = now
        self.asked += 1
        return True

    def arrived(self) -> None:
        """A key frame came: nothing is wanted until the next need."""
        self._wanted = False
