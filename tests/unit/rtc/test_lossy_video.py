# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures over a way that loses packets, in simulated time: what is asked for, sent again and shown."""

import heapq
import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import pytest

from callagent.media.playout.freezes import Freezes
from callagent.media.playout.video_queue import PictureQueue
from callagent.ports import Codec, NetworkReport, ReceivedPicture
from callagent.rtc.frame_buffer import GIVE_UP_S, FrameBuffer, MediaPacket
from callagent.rtc.key_frame_requests import KeyFrameRequests
from callagent.rtc.missing_packets import MissingPackets
from callagent.rtc.retransmissions import Retransmissions

LENGTH_S = 120.0
ONE_WAY_S, JITTER_S, LOSS = 0.05, 0.02, 0.05
FPS = 30
KEY_PACKETS = 30
SPREAD_S = 0.001
"""Between two packets of a picture."""


@dataclass(slots=True)
class Packet:
    sequence_number: int
    timestamp: int
    marker: bool
    key: bool


class World:
    """Time that jumps from event to event, and a network both ways."""

    def __init__(self, loss: float, jitter_s: float) -> None:
        self.seconds = 100.0
        self._loss, self._jitter_s = loss, jitter_s
        self._chance = random.Random(1)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()

    def now(self) -> float:
        return self.seconds

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.seconds + seconds, next(self._number), action))

    def send(self, action: Callable[[], None]) -> None:
        """At the other side, unless it is lost."""
        if self._chance.random() >= self._loss:
            self.after(ONE_WAY_S + self._chance.uniform(-self._jitter_s, self._jitter_s), action)

    def run(self, seconds: float) -> None:
        end = self.seconds + seconds
        while self._events[0][0] < end:
            self.seconds, _, action = heapq.heappop(self._events)
            action()
        self.seconds = end


class Sender:
    """A camera that is encoded into so many packets a picture."""

    def __init__(self, world: World, packets: int) -> None:
        self._world, self._packets = world, packets
        self._resend = Retransmissions(world)
        self._resend.report(NetworkReport(fraction_lost=LOSS, round_trip_s=2 * ONE_WAY_S))
        self._sent: dict[int, Packet] = {}
        self._sequence = 0
        self._key_wanted = True
        self.captured: dict[int, float] = {}
        self.deliver: Callable[[Packet], None] = lambda _: None
        self.packets = 0

    def picture(self, number: int) -> None:
        world, timestamp = self._world, number * 90_000 // FPS
        for sequence in self._resend.second_copies():
            self._transmit(self._sent[sequence])
        self._resend.report(NetworkReport(fraction_lost=LOSS))
        self.captured[timestamp] = world.now()
        key, self._key_wanted = self._key_wanted, False
        count = KEY_PACKETS if key else self._packets
        for place in range(count):
            packet = Packet(self._sequence, timestamp, place == count - 1, key and place == 0)
            self._sent[self._sequence] = packet
            self._sequence = (self._sequence + 1) & 0xFFFF
            world.after(place * SPREAD_S, partial(self._transmit, packet))
        world.after(1 / FPS, lambda: self.picture(number + 1))

    def asked(self, sequences: Iterable[int]) -> None:
        for sequence in sequences:
            if self._resend.asked(sequence):
                self._transmit(self._sent[sequence])

    def key_frame(self) -> None:
        self._key_wanted = True

    def _transmit(self, packet: Packet) -> None:
        self.packets += 1
        self._world.send(lambda: self.deliver(packet))


class Viewer:
    """Puts packets together and shows pictures, as `IncomingVideo` and `VideoPlayout` do."""

    def __init__(self, world: World, sender: Sender) -> None:
        self._world, self._sender = world, sender
        self._missing = MissingPackets(world, lambda: 2 * ONE_WAY_S)
        self._buffer = FrameBuffer(lambda: GIVE_UP_S + 4 * ONE_WAY_S)
        self._requests = KeyFrameRequests()
        self._queue = PictureQueue()
        self.freezes = Freezes()
        self.added_s: list[float] = []

    def deliver(self, packet: Packet) -> None:
        now = self._world.now()
        if self._missing.add(packet):
            due = tuple(self._missing.missing)
            self._world.send(lambda: self._sender.asked(due))
        parts = (packet.sequence_number, packet.timestamp, packet.marker)
        ask = self._buffer.add(MediaPacket(*parts, b"x", packet.key, now))
        while (frame := self._buffer.pop()) is not None:
            if frame.key:
                self._requests.arrived()
            self._missing.forget_before(frame.next_sequence)
            picture = ReceivedPicture(Codec.VP8, frame.key, frame.timestamp, b"x", now, None)
            ask = self._queue.put(picture, now) or ask
        if self._requests.want(now) if ask else self._requests.due(now):
            self._world.send(self._sender.key_frame)
        self._show()

    def _show(self) -> None:
        now = self._world.now()
        while (wait_s := self._queue.wait_s(now)) is not None and wait_s < 1e-9:
            taken = self._queue.take()
            if self._queue.shows(taken, now):
                self.freezes.shown(now)
                self.added_s.append(now - self._sender.captured[taken.picture.timestamp] - ONE_WAY_S)
        if wait_s is not None:
            self._world.after(wait_s, self._show)


def watch(packets: int, loss: float, jitter_s: float) -> tuple[Viewer, Sender]:
    world = World(loss, jitter_s)
    sender = Sender(world, packets)
    viewer = Viewer(world, sender)
    sender.deliver = viewer.deliver
    sender.picture(0)
    world.run(LENGTH_S)
    return viewer, sender


@pytest.mark.parametrize("packets", [2, 6, 12])
def test_5_percent_loss_is_hardly_seen(packets: int) -> None:
    """100 ms there and back, 20 ms jitter: frozen for less than 1 % of the time, less than 200 ms later."""
    viewer, sender = watch(packets, LOSS, JITTER_S)
    assert viewer.freezes.total_s < 0.01 * LENGTH_S
    added_s = sorted(viewer.added_s)
    assert added_s[int(0.95 * len(added_s))] < 0.2
    assert len(added_s) > 0.98 * FPS * LENGTH_S
    # What is lost is sent twice, and so is some that was only overtaken.
    assert sender.packets < (1 + 5 * LOSS) * packets * FPS * LENGTH_S + KEY_PACKETS


def test_jitter_alone_costs_no_more_than_itself() -> None:
    viewer, _ = watch(6, 0.0, JITTER_S)
    assert viewer.freezes.count == 0
    added_s = sorted(viewer.added_s)
    assert added_s[int(0.95 * len(added_s))] < 2 * JITTER_S
