# SPDX-License-Identifier: GPL-3.0-or-later
"""What a receiver remembers of a transport's packets until it has told their sender."""

from callagent.rtc.congestion.transport_feedback import (
    MAX_DELTA_TICKS,
    REFERENCE_S,
    TICK_S,
    TICKS_PER_REFERENCE,
    TransportFeedback,
)
from callagent.rtc.unwrapping import Unwrapper

MIN_INTERVAL_S, MAX_INTERVAL_S = 0.05, 0.25
FEEDBACK_SHARE = 0.05
"""Of what arrives; feedback takes no more (libwebrtc's rule)."""
_FEEDBACK_BITS = 68 * 8
_TOLD_KEPT_S = 0.5
"""A packet that comes late is told together with its neighbours, told before or not."""
_MAX_SPAN = 4000
"""Packets one message tells of; a sender that jumps further has begun anew."""


class Arrivals:
    """Collects arrival times and makes them into messages. Memory is bounded by `_MAX_SPAN`."""

    def __init__(self, sender_ssrc: int) -> None:
        """`sender_ssrc`: whose messages these are, one of this side's own."""
        self._sender_ssrc = sender_ssrc
        self._media_ssrc = 0
        self._unwrapper = Unwrapper(16)
        self._times: dict[int, float] = {}
        self._next: int | None = None
        """The first packet not told of."""
        self._last = 0
        self._number = 0
        self._told_at: float | None = None
        self._bytes = 0
        self._interval_s = 0.1

    @property
    def pending(self) -> bool:
        """Whether something arrived that was not told."""
        return self._next is not None and self._next <= self._last

    @property
    def interval_s(self) -> float:
        """Until the next message, so that messages take about 5 % of what arrives."""
        return self._interval_s

    def add(self, sequence: int, media_ssrc: int, size: int, now: float) -> None:
        """A packet with this transport-wide sequence number (16 bits) and this many bytes arrived."""
        self._media_ssrc = media_ssrc
        self._bytes += size
        unwrapped = self._unwrapper.unwrap(sequence)
        if self._next is None or abs(unwrapped - self._last) > _MAX_SPAN:
            self._times.clear()
            self._next = self._last = unwrapped
        if unwrapped in self._times:
            return
        self._times[unwrapped] = now
        self._last = max(self._last, unwrapped)
        self._next = max(min(self._next, unwrapped), self._last - _MAX_SPAN)
        if len(self._times) > 2 * _MAX_SPAN:
            self._forget(now)

    def take(self, now: float) -> list[TransportFeedback]:
        """Everything not yet told; more than one message only after a long silence."""
        self._adapt(now)
        if self._next is None:
            return []
        messages = []
        first = self._next
        while first <= self._last:
            message, first = self._message(first)
            if message is not None:
                messages.append(message)
        self._next = self._last + 1
        self._forget(now)
        return messages

    def _message(self, first: int) -> tuple[TransportFeedback | None, int]:
        """The packets from `first` on as far as their arrivals fit into one message, and what is next."""
        origin = next((self._times[at] for at in range(first, self._last + 1) if at in self._times), None)
        if origin is None:
            return None, self._last + 1
        reference = int(origin / REFERENCE_S)
        arrivals: list[int | None] = []
        last = 0
        for sequence in range(first, self._last + 1):
            time = self._times.get(sequence)
            if time is None:
                arrivals.append(None)
                continue
            ticks = round(time / TICK_S) - reference * TICKS_PER_REFERENCE
            if abs(ticks - last) > MAX_DELTA_TICKS:
                break
            arrivals.append(ticks)
            last = ticks
        message = TransportFeedback(
            self._sender_ssrc, self._media_ssrc, first & 0xFFFF, reference, self._number, tuple(arrivals)
        )
        self._number = (self._number + 1) & 0xFF
        return message, first + len(arrivals)

    def _adapt(self, now: float) -> None:
        if self._told_at is not None and now > self._told_at:
            arrived_bps = self._bytes * 8 / (now - self._told_at)
            wanted = _FEEDBACK_BITS / max(FEEDBACK_SHARE * arrived_bps, 1.0)
            self._interval_s = min(max(wanted, MIN_INTERVAL_S), MAX_INTERVAL_S)
        self._told_at, self._bytes = now, 0

    def _forget(self, now: float) -> None:
        self._times = {
            sequence: time
            for sequence, time in self._times.items()
            if sequence >= self._last - _MAX_SPAN
            and (time >= now - _TOLD_KEPT_S or (self._next is not None and sequence >= self._next))
        }
