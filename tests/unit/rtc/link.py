# SPDX-License-Identifier: GPL-3.0-or-later
"""A network of one bottleneck in discrete time, and senders with congestion control across it.

Steps of 1 ms; everything random comes from one seed, so a run is the same on every machine.
"""

import math
import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush

from callagent.rtc.congestion.arrivals import Arrivals
from callagent.rtc.congestion.controller import CongestionController
from callagent.rtc.congestion.pacer import Pacer
from callagent.rtc.congestion.transport_feedback import parse_feedback

STEP_S = 0.001
BEGIN_S = 100.0
"""The clock at the begin of a run."""
PACKET_BYTES = 1150
HEADER_BYTES = 40
"""RTP header with its extensions, and SRTP's tag."""
SOUND_BPS = 40_000
PICTURES_PER_S = 30


@dataclass
class Packet:
    sender: "Sender"
    sequence: int
    size: int
    sent_at: float


@dataclass
class Link:
    """First in, first out; what does not fit into the queue is dropped."""

    rate_bps: float
    queue_bytes: float = math.inf
    delay_s: float = 0.025
    """One way, without queue."""
    loss: float = 0.0
    """At random, behind the queue, 0.0 to 1.0."""
    jitter_s: float = 0.0
    """Even between 0 and this, behind the queue."""
    reorders: bool = False
    """Whether jitter may change the order."""
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    dropped: int = 0

    def __post_init__(self) -> None:
        self._queue: deque[Packet] = deque()
        self._queued_bytes = 0
        self._free_at = 0.0
        self._last_arrival = 0.0

    def queue_s(self) -> float:
        return self._queued_bytes * 8 / self.rate_bps

    def put(self, packet: Packet) -> None:
        if self._queued_bytes + packet.size > self.queue_bytes:
            self.dropped += 1
            return
        if not self._queue:
            self._free_at = max(self._free_at, packet.sent_at)
        self._queue.append(packet)
        self._queued_bytes += packet.size

    def advance(self, now: float) -> Iterable[tuple[float, Packet]]:
        """What has left the queue by now, with the time it will arrive."""
        while self._queue:
            packet = self._queue[0]
            done = self._free_at + packet.size * 8 / self.rate_bps
            if done > now:
                return
            self._queue.popleft()
            self._queued_bytes -= packet.size
            self._free_at = done
            arrival = done + self.delay_s + self.chance.uniform(0, self.jitter_s)
            lost = self.chance.random() < self.loss
            if not self.reorders:
                arrival = self._last_arrival = max(arrival, self._last_arrival)
            if not lost:
                yield arrival, packet


@dataclass
class Sample:
    at: float
    target_bps: float
    queue_s: float


class Sender:
    """Camera, encoder, microphone and the code under test, its receiver at the other end included."""

    def __init__(
        self,
        controller: CongestionController,
        seed: int = 1,
        media_max_bps: float = math.inf,
        begins_at: float = 0.0,
        clock_ahead_s: float = 1234.5,
    ) -> None:
        self.controller = controller
        self.media_max_bps = media_max_bps
        begins_at += BEGIN_S
        self.begins_at = begins_at
        self.samples: list[Sample] = []
        self.arrived: list[tuple[float, int]] = []
        self.picture_delays: list[float] = []
        self.skipped = 0
        self._clock_ahead_s = clock_ahead_s
        self._random = random.Random(seed)
        self._pacer = Pacer(controller.pacing_bps, controller.burst_bytes)
        self._arrivals = Arrivals(1)
        self._sequence = 65_000
        self._picture_at = self._sound_at = begins_at
        self._pictures = 0
        self._report_at = begins_at + 0.1

    def step(self, link: Link, now: float) -> None:
        """What the sending side does in one step."""
        if now < self.begins_at:
            return
        if now >= self._sound_at:
            self._sound_at += 0.02
            size = SOUND_BPS // 400 + HEADER_BYTES
            self._send(link, size, now, None)
            self._pacer.passed(size, now)
        if now >= self._picture_at:
            self._picture_at += 1 / PICTURES_PER_S
            self._encode()
        probe = self.controller.probe_due(now)
        if probe is not None:
            self._pacer.start_probe(probe)
        self._pacer.set_pace(self.controller.pacing_bps, self.controller.burst_bytes)
        while (paced := self._pacer.take(now)) is not None:
            size = paced.padding + HEADER_BYTES if paced.packet is None else len(paced.packet)
            self._send(link, size, now, paced.probe)

    def arrive(self, packet: Packet, now: float) -> None:
        """What the receiving side does with a packet."""
        self._arrivals.add(packet.sequence, 7, packet.size, now + self._clock_ahead_s)
        self.arrived.append((now, packet.size))

    def feedback(self, now: float) -> list[bytes]:
        if now < self._report_at or not self._arrivals.pending:
            return []
        messages = [message.serialize() for message in self._arrivals.take(now + self._clock_ahead_s)]
        self._report_at = now + self._arrivals.interval_s
        return messages

    def _encode(self) -> None:
        if self._pacer.is_long:
            self.skipped += 1
            return
        rate = min(max(self.controller.target_bps - SOUND_BPS - 16_000, 30_000), self.media_max_bps)
        size = rate / 8 / PICTURES_PER_S * min(max(self._random.gauss(1, 0.2), 0.3), 2.0)
        if self._pictures == 0:
            size *= 5
        self._pictures += 1
        left = int(size)
        while left > 0:
            self._pacer.put(bytes(min(left, PACKET_BYTES) + HEADER_BYTES))
            left -= PACKET_BYTES

    def _send(self, link: Link, size: int, now: float, probe: int | None) -> None:
        self.controller.on_sent(self._sequence & 0xFFFF, size, now, probe)
        link.put(Packet(self, self._sequence & 0xFFFF, size, now))
        self._sequence += 1


def run(
    link: Link,
    senders: Iterable[Sender],
    duration_s: float,
    changes: Iterable[tuple[float, Callable[[Link], None]]] = (),
) -> None:
    """Run for so long; `changes` are made to the link at their times, counted from the begin."""
    senders = list(senders)
    pending = sorted(changes, key=lambda change: change[0])
    on_way: list[tuple[float, int, Callable[[float], None]]] = []
    count = 0
    for step in range(round(duration_s / STEP_S)):
        since = step * STEP_S
        now = BEGIN_S + since
        while pending and since >= pending[0][0]:
            pending.pop(0)[1](link)
        for sender in senders:
            sender.step(link, now)
        for arrival, packet in link.advance(now):
            count += 1
            heappush(on_way, (arrival, count, lambda at, p=packet: p.sender.arrive(p, at)))  # type: ignore[misc]
        for sender in senders:
            for message in sender.feedback(now):
                count += 1
                heappush(on_way, (now + link.delay_s, count, _hear(sender, message)))
        while on_way and on_way[0][0] <= now:
            arrival, _, happen = heappop(on_way)
            happen(arrival)
        if step % 10 == 0:
            for sender in senders:
                sender.samples.append(Sample(since, sender.controller.target_bps, link.queue_s()))


def _hear(sender: Sender, message: bytes) -> Callable[[float], None]:
    return lambda at: sender.controller.on_feedback(parse_feedback(message), at)


def arrived_bps(sender: Sender, from_s: float, to_s: float) -> float:
    """What arrived between two times counted from the begin of the run."""
    size = sum(size for at, size in sender.arrived if BEGIN_S + from_s <= at < BEGIN_S + to_s)
    return size * 8 / (to_s - from_s)
