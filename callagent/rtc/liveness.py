# SPDX-License-Identifier: GPL-3.0-or-later
"""Notices a connection that never comes about, and one that has fallen silent."""

import asyncio
from collections.abc import Callable

from aiortc import RTCPeerConnection

from callagent.rtc.aioice_compat import path_answers
from callagent.rtc.aiortc_compat import transport_statistics
from callagent.rtc.settings import RtcSettings

LOOK_INTERVAL_S = 0.5


class Liveness:
    """Calls `on_dead` with the reason, once. Used on the loop.

    Sound flows fifty times a second, also a muted one. When nothing has come for `suspect_s`, the other
    side is asked whether it hears (STUN, as RFC 7675 does for consent): a way that answers carries, and its
    silence may last until `quiet_timeout_s`; one that does not is dead after `silence_timeout_s`.

    Silence is counted in looks rather than read off a clock: a loop that was itself held up sees the packets
    that came meanwhile before it looks again.
    """

    def __init__(
        self, connection: RTCPeerConnection, settings: RtcSettings, on_dead: Callable[[str], None]
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._on_dead = on_dead
        self._timer: asyncio.TimerHandle | None = None
        self._question: asyncio.Task[bool] | None = None
        self._received = 0
        self._quiet_s = 0.0
        """Without media."""
        self._silent_s = 0.0
        """Without media and answers."""

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
        if self._question is not None:
            self._question.cancel()

    def _look(self) -> None:
        settings = self._settings
        transport = transport_statistics(self._connection)
        received = transport.packetsReceived if transport is not None else 0
        if received != self._received:
            self._received, self._quiet_s, self._silent_s = received, 0.0, 0.0
        else:
            self._quiet_s += LOOK_INTERVAL_S
            self._silent_s += LOOK_INTERVAL_S
        if self._silent_s >= settings.silence_timeout_s or self._quiet_s >= settings.quiet_timeout_s:
            self._die(f"nothing received for {self._quiet_s:g} s")
            return
        if self._quiet_s >= min(settings.suspect_s, settings.silence_timeout_s / 2):
            self._ask()
        self._set_timer(LOOK_INTERVAL_S, self._look)

    def _ask(self) -> None:
        if self._question is None or self._question.done():
            question = path_answers(self._connection)
            self._question = asyncio.get_running_loop().create_task(question, name="rtc-path")
            self._question.add_done_callback(self._answered)

    def _answered(self, question: asyncio.Task[bool]) -> None:
        if not question.cancelled() and question.exception() is None and question.result():
            self._silent_s = 0.0

    def _die(self, reason: str) -> None:
        self.stop()
        self._on_dead(reason)

    def _set_timer(self, delay_s: float, callback: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(delay_s, callback)
