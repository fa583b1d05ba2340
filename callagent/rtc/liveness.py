# SPDX-License-Identifier: GPL-3.0-or-later
"""Notices a connection that never comes about, and one that has fallen silent."""

import asyncio
from collections.abc import Callable

from aiortc import RTCPeerConnection

from callagent.rtc.aiortc_compat import transport_statistics
from callagent.rtc.settings import RtcSettings

LOOK_INTERVAL_S = 0.5


class Liveness:
    """Calls `on_dead` with the reason, once. Used on the loop.

    Silence is counted in looks rather than read off a clock: a loop that was
    itself held up sees the packets that came meanwhile before it looks again.
    Both sides send RTCP about every second, so a quiet camera is not silence.
    """

    def __init__(
        self, connection: RTCPeerConnection, settings: RtcSettings, on_dead: Callable[[str], None]
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._on_dead = on_dead
        self._timer: asyncio.TimerHandle | None = None
        self._received = 0
        self._silent_s = 0.0

    def begin(self) -> None:
        """The first description is being made."""
        timeout_s = self._settings.connect_timeout_s
        self._set_timer(timeout_s, lambda: self._die(f"not connected within {timeout_s:g} s"))

    def connected(self) -> None:
        self._set_timer(LOOK_INTERVAL_S, self._look)

    def stop(self) -> None:
        """Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        transport = transport_statistics(self._connection)
        received = transport.packetsReceived if transport is not None else 0
        self._silent_s = self._silent_s + LOOK_INTERVAL_S if received == self._received else 0.0
        self._received = received
        if self._silent_s >= self._settings.silence_timeout_s:
            self._die(f"nothing received for {self._silent_s:g} s")
        else:
            self._set_timer(LOOK_INTERVAL_S, self._look)

    def _die(self, reason: str) -> None:
        self.stop()
        self._on_dead(reason)

    def _set_timer(self, delay_s: float, callback: Callable[[], None]) -> None:
        self.stop()
        self._timer = asyncio.get_running_loop().call_later(delay_s, callback)
