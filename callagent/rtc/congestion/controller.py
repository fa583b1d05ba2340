# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be sent to one peer: the least of what delay and loss allow, raised by probes."""

import logging
import math

from callagent.rtc.congestion.acknowledged import ApplicationLimit, WindowRate
from callagent.rtc.congestion.delay_estimate import DelayEstimate, Usage
from callagent.rtc.congestion.loss_control import LOW_LOSS, LossControl
from callagent.rtc.congestion.packet_groups import PacketGroups
from callagent.rtc.congestion.probing import Probe, Probing
from callagent.rtc.congestion.queue_delay import QueueDelay
from callagent.rtc.congestion.rate_control import RateControl
from callagent.rtc.congestion.sent_history import PacketResult, SentHistory
from callagent.rtc.congestion.transport_feedback import TransportFeedback

logger = logging.getLogger(__name__)

MIN_BPS, START_BPS, MAX_BPS = 50_000, 1_000_000, 8_000_000
PACING = 2.5
"""How much faster than the rate a picture may leave."""
BURST_S, SHORT_BURST_S = 0.04, 0.005
"""An ordinary picture leaves at once, so that pacing costs it no time; key frames are spread."""
FIRST_BURST_BYTES = 14_600
"""Ten packets, which any way takes at once before anything is known of it (RFC 6928): the first key frame."""
_SHALLOW_LOSS = 0.07
"""More lost than this: the queues on the way may be too short for a burst."""
_SILENCE_S = 1.0
"""Packets leave and nothing is told of them for this long: the rate is halved, again and again."""
_STALE_S = 2.0


class CongestionController:
    """The sender's side of one transport. Pure; `now` is monotonic seconds and never goes back."""

    def __init__(self, start_bps: int = START_BPS, min_bps: int = MIN_BPS, max_bps: int = MAX_BPS) -> None:
        if not 0 < min_bps <= start_bps <= max_bps:
            raise ValueError("the rates must be 0 < min_bps <= start_bps <= max_bps")
        self._min_bps, self._max_bps = min_bps, max_bps
        self._allowed_bps = self._target_bps = float(start_bps)
        self._history = SentHistory()
        self._groups = PacketGroups()
        self._delay = DelayEstimate()
        self._queue = QueueDelay()
        self._through = WindowRate()
        self._application = ApplicationLimit()
        self._rate = RateControl(start_bps, min_bps, max_bps)
        self._loss = LossControl(min_bps, max_bps)
        self._probing = Probing(start_bps, max_bps)
        self._probed = False
        self._told = False
        """Whether anything was ever told of the way."""
        self._heard_at: float | None = None
        self._sent_at: float | None = None
        self.round_trip_s = 0.2
        """Smoothed; includes what the receiver waits until it tells."""

    @property
    def target_bps(self) -> int:
        """What all RTP packets together may take."""
        return int(self._target_bps)

    @property
    def pacing_bps(self) -> float:
        return PACING * self._target_bps

    @property
    def burst_bytes(self) -> float:
        """What may leave at once; less where packets get lost, because queues may be short there."""
        lost = self._loss.fraction
        usual = self._target_bps / 8 * (BURST_S if lost is None or lost < _SHALLOW_LOSS else SHORT_BURST_S)
        return usual if self._told else max(usual, FIRST_BURST_BYTES)

    @property
    def queue_s(self) -> float:
        """How long packets wait on the way, as far as known."""
        return self._queue.queue_s

    @property
    def application_limited(self) -> bool:
        """Less is being sent than may be."""
        return self._application.limited

    @property
    def fraction_lost(self) -> float | None:
        """Over the last second."""
        return self._loss.fraction

    def on_sent(self, sequence: int, size: int, now: float, probe: int | None = None) -> None:
        """An RTP packet of `size` bytes left with this transport-wide sequence number (16 bits)."""
        if self._sent_at is None or now - self._sent_at > _STALE_S:
            # What was heard before a pause says nothing of the way now.
            self._heard_at = now
        self._sent_at = now
        self._history.add(sequence, size, now, probe)
        self._application.sent(size, self._target_bps, now)
        if self._heard_at is not None and now - self._heard_at > _SILENCE_S + self.round_trip_s:
            self._heard_at = now
            self._rate.limit_to(self._target_bps / 2, now)
            self._settle(now)

    def on_feedback(self, feedback: TransportFeedback, now: float) -> None:
        """A message of the receiver; what it tells a second time changes nothing."""
        results = self._history.results(feedback, now)
        if not results:
            return
        self._told = True
        self._heard_at = now
        self._measure_round_trip(results, now)
        usage, turned = self._delay.usage, False
        through = self._through
        for result in results:
            if result.arrived_at is None:
                continue
            through.add(result.arrived_at, result.sent.size)
            delta = self._groups.add(result.sent.sent_at, result.arrived_at, now)
            if delta is not None:
                usage = self._delay.add(delta)
                turned = turned or usage is Usage.OVER
        self._queue.add(results, now)
        if turned:
            usage = Usage.OVER
            self._queue.on_overuse(now)
        elif usage is Usage.NORMAL:
            usage = self._queue.usage(now)
        # Not what is left of it while a queue is drained: that says nothing of what the way carries.
        self._loss.update(results, self._allowed_bps, now)
        probed = self._probing.on_results(results)
        if probed is not None and probed.carried_bps is not None:
            self._on_probed(probed.carried_bps, now, filled=probed.filled)
        self._rate.update(usage, through.bps, self.round_trip_s, now, idle=self._application.limited)
        self._settle(now)

    def _on_probed(self, carried_bps: float, now: float, *, filled: bool) -> None:
        logger.debug("a probe got %.0f bit/s through", carried_bps)
        if filled and not self._probed:
            # Nothing better is known than the start rate, which was a guess.
            self._rate.limit_to(carried_bps, now)
        self._probed = True
        self._rate.raise_to(carried_bps, now)
        if self._calm:
            self._loss.raise_to(carried_bps)

    def probe_due(self, now: float) -> Probe | None:
        """The burst to send now; asked whenever packets leave or feedback comes."""
        return self._probing.due(self._target_bps, now, idle=self._application.limited, calm=self._calm)

    @property
    def _calm(self) -> bool:
        lost = self._loss.fraction
        return self._delay.usage is Usage.NORMAL and (lost is None or lost < LOW_LOSS)

    def _settle(self, now: float) -> None:
        before, self._allowed_bps = self._allowed_bps, min(self._rate.bps, self._loss.bps)
        if self._allowed_bps < before:
            self._probing.on_decrease(before, now)
        self._target_bps = max(self._allowed_bps * self._queue.drain(now), self._min_bps)

    def _measure_round_trip(self, results: list[PacketResult], now: float) -> None:
        newest = max((r.sent.sent_at for r in results if r.arrived_at is not None), default=math.nan)
        if not math.isnan(newest):
            self.round_trip_s += 0.1 * (now - newest - self.round_trip_s)
