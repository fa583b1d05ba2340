# SPDX-License-Identifier: GPL-3.0-or-later
"""How long packets are under way, and how much delay that asks for. Pure: time comes in with the packets.

Only differences count: the sender's clock and ours have no common zero. *Transit* is arrival time
minus time stamp; the smallest transit of the last seconds, the *base*, is a packet that waited nowhere.
What a packet took more than that is its relative delay.
"""

import math
from collections import deque

from callagent.media.sound import FRAME_S

MIN_TARGET_S = 0.02
MAX_TARGET_S = 0.5
START_TARGET_S = 0.04
"""Until the network has shown what it is like."""
_BASE_WINDOW_S = 5.0
_RECENT_WINDOW_S = 0.5
_PEAK_INTERVAL_S = 0.5
_PEAKS = 60
_IGNORED = 0.05
"""Of the half seconds of the last 30 s, by their worst packet: the worst of them, at least one, may
come late (WebRTC's NetEQ has the same quantile and interval)."""
_SPARE_S = FRAME_S + 0.003
"""A packet must be there when the 10 ms it begins in are pulled; a clock not known yet costs 2 or 3 ms."""
_LONGER_WAY_S = 0.01
"""The base grows by more than any drift only when packets have taken another way."""
_SURGE_DECAY_S = 5.0
_FEC_WINDOW_S = 10.0
_FEC_LOSSES = 2


class WindowMinimum:
    """The smallest of the values whose positions lie within the last `span`; positions never decrease."""

    def __init__(self, span: float) -> None:
        self._span = span
        self._rising: deque[tuple[float, float]] = deque()

    @property
    def value(self) -> float | None:
        return self._rising[0][1] if self._rising else None

    def add(self, position: float, value: float) -> float:
        """Take a value in; returns the minimum."""
        rising = self._rising
        while rising and rising[-1][1] >= value:
            rising.pop()
        rising.append((position, value))
        while rising[0][0] < position - self._span:
            rising.popleft()
        return rising[0][1]

    def restart(self, position: float, value: float) -> None:
        """Forget everything before."""
        self._rising.clear()
        self._rising.append((position, value))


class NetworkDelay:
    """Base and target of one stream. All times in seconds."""

    def __init__(self) -> None:
        self._base = WindowMinimum(_BASE_WINDOW_S)
        self._recent = WindowMinimum(_RECENT_WINDOW_S)
        self._peaks: deque[float] = deque(maxlen=_PEAKS)
        self._peak: float | None = None
        self._peak_began = 0.0
        self._peaks_base = 0.0
        self._quantile = 0.0
        self._surge: float | None = None
        self._time = float("-inf")
        self._losses: deque[float] = deque(maxlen=_FEC_LOSSES)
        self._fec_s = 0.0

    @property
    def base(self) -> float:
        """Transit of the fastest packets; 0 before the first one."""
        value = self._base.value
        return 0.0 if value is None else value

    @property
    def target_s(self) -> float:
        """How long after the fastest packet's arrival its first sample should be played."""
        wanted = max(
            self._quantile,
            0.0 if self._surge is None else self._surge - self.base,
        )
        return max(MIN_TARGET_S, min(wanted + _SPARE_S + self._fec_s, MAX_TARGET_S))

    def arrived(self, packet_time: float, arrival_time: float) -> None:
        """One packet, late ones too; `packet_time` is its RTP time stamp in seconds."""
        transit = arrival_time - packet_time
        first = self._base.value is None
        elapsed = 0.0 if first else max(0.0, arrival_time - self._time)
        self._time = max(self._time, arrival_time)
        base = self._base.add(self._time, transit)
        recent = self._recent.add(self._time, transit)
        if recent > base + MAX_TARGET_S:
            # Not one late packet but all: the sender's clock stood still, or the way is another one.
            self._base.restart(self._time, recent)
            base = recent
        if first:
            self._surge, self._peak_began = transit + START_TARGET_S - _SPARE_S, arrival_time
            self._peaks_base = base
        self._note_peak(transit, base)
        self._note_surge(transit, base, elapsed)

    def missed(self, now: float, packet_s: float, has_fec: bool) -> None:
        """A packet was not there when it was needed.

        When that happens again and again, and the next packet would have carried
        its correction, it pays to wait for the next packet.
        """
        self._losses.append(now)
        often = len(self._losses) == _FEC_LOSSES and now - self._losses[0] <= _FEC_WINDOW_S
        if often and has_fec:
            self._fec_s = packet_s

    def passed(self, now: float) -> None:
        """Time goes on: what is long ago counts no more."""
        if self._fec_s and now - self._losses[-1] > _FEC_WINDOW_S:
            self._fec_s = 0.0

    def _note_peak(self, transit: float, base: float) -> None:
        """Each half second's worst packet, less the base of its time: that drifts with the clocks."""
        self._peak = transit if self._peak is None else max(self._peak, transit)
        if self._time - self._peak_began < _PEAK_INTERVAL_S:
            return
        longer = base - self._peaks_base
        if longer > _LONGER_WAY_S:
            # What seemed late was the longer way already.
            self._peaks = deque((peak - longer for peak in self._peaks), maxlen=_PEAKS)
        self._peaks.append(self._peak - base)
        ordered = sorted(self._peaks)
        self._quantile = ordered[-1 - max(1, int(_IGNORED * len(ordered)))] if len(ordered) > 1 else 0.0
        self._peak, self._peak_began, self._peaks_base = None, self._time, base

    def _note_surge(self, transit: float, base: float, elapsed: float) -> None:
        """What exceeds the target raises it at once and wears off."""
        if self._surge is not None:
            above = max(0.0, min(self._surge - base, MAX_TARGET_S))
            self._surge = base + above * math.exp(-elapsed / _SURGE_DECAY_S)
        if transit - base + _SPARE_S > self.target_s:
            self._surge = base + min(transit - base, MAX_TARGET_S)


class PullClock:
    """When the speaker pulls, without the tremble of its thread. Pure.

    A pull is never too early, only late; the earliest of the last seconds give
    the beat, which follows the sound card's own clock. A speaker that is slow and stays
    slow, on an overloaded machine, does not tremble: there the beat follows the pulls.
    """

    _WINDOW_S = 2.0
    _PAUSE_S = 0.1
    _TREMBLE_S = 0.08

    def __init__(self) -> None:
        self._count = 0
        self._last = float("-inf")
        self._lateness = WindowMinimum(self._WINDOW_S)

    def tick(self, now: float) -> float:
        """One pull of 10 ms at `now`; returns the time it would have had without tremble, <= now."""
        self._count += 1
        beat = self._count * FRAME_S
        if now - self._last > self._PAUSE_S:
            self._lateness.restart(now, now - beat)
        lateness = self._lateness.add(max(now, self._last), now - beat)
        self._last = max(now, self._last)
        return max(beat + lateness, now - self._TREMBLE_S)


class DriftControl:
    """A proportional-integral controller: how much faster than real time to play. Pure.

    The integral finds the difference of the two clocks, the proportional part
    leads the delay back to its target, slowly enough not to be heard.
    """

    _PROPORTIONAL = 1 / 10.0
    """Per second: an error of 1 ms is answered by 100 ppm."""
    _INTEGRAL = _PROPORTIONAL**2 / 4
    """Critically damped."""
    _MAX_DRIFT = 500e-6
    _MAX_RATE = 1000e-6
    """1.7 hundredths of a semitone."""
    _MAX_ERROR_S = 0.005
    """A larger one is a target that moved, no drift to be learned from."""

    def __init__(self) -> None:
        self._drift = 0.0

    @property
    def drift_ppm(self) -> float:
        """How much faster the sender's clock runs than the speaker's."""
        return self._drift * 1e6

    def update(self, error_s: float) -> float:
        """The rate for the next 10 ms, 0.001 being 0.1 % faster; `error_s` is delay minus target."""
        if abs(error_s) <= self._MAX_ERROR_S:
            drift = self._drift + self._INTEGRAL * error_s * FRAME_S
            self._drift = max(-self._MAX_DRIFT, min(drift, self._MAX_DRIFT))
        rate = self._drift + self._PROPORTIONAL * error_s
        return max(-self._MAX_RATE, min(rate, self._MAX_RATE))
