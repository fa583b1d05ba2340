# SPDX-License-Identifier: GPL-3.0-or-later
"""Encoded media of one peer on its way to the sinks the agent gave for it."""

import asyncio
import contextlib
from collections.abc import Callable

from aiortc import RTCRtpReceiver
from aiortc.rtp import RtpPacket

from callagent.ports import (
    UNTRACED,
    Clock,
    Codec,
    PacketSink,
    PictureSink,
    ReceivedPacket,
    ReceivedPicture,
    Stage,
    Tracer,
)
from callagent.rtc import aiortc_compat as compat
from callagent.rtc.frame_buffer import GIVE_UP_S, AssembledFrame, FrameBuffer, MediaPacket
from callagent.rtc.key_frame_requests import KeyFrameRequests
from callagent.rtc.key_frames import starts_key_frame
from callagent.rtc.missing_packets import UNKNOWN_ROUND_TRIP_S, MissingPackets
from callagent.rtc.packing import CLOCK_RATE_HZ
from callagent.rtc.sender_clock import SenderClock
from callagent.rtc.unwrapping import Unwrapper

_VIDEO_CODECS = {codec.value: codec for codec in (Codec.H264, Codec.VP8)}
_VIDEO_RATE_HZ = CLOCK_RATE_HZ[Codec.H264]
MAX_GIVE_UP_S = 0.7
"""Beyond that a key frame is quicker than any retransmission."""


class _Incoming:
    """A `ports.ReceiverControl` of one receiver: any thread may call what the port names."""

    def __init__(self, receiver: RTCRtpReceiver, clock: Clock, on_first_frame: Callable[[], None]) -> None:
        self._receiver: RTCRtpReceiver | None = receiver
        self._clock = clock
        self._on_first_frame: Callable[[], None] | None = on_first_frame
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self.frames = 0
        """Packets of sound, or complete pictures, given to the sink."""

    def request_key_frame(self) -> None:
        """Sound has none."""

    def first_frame(self) -> None:
        if self._on_first_frame is not None:
            self._on_loop(self._first_frame)

    async def close(self) -> None:
        """Give nothing more to the sink. Idempotent.

        Whoever holds on to this control does not hold the connection.
        """
        self._closed = True
        self._receiver = self._on_first_frame = None

    def _first_frame(self) -> None:
        tell, self._on_first_frame = self._on_first_frame, None
        if tell is not None and not self._closed:
            tell()

    def _on_loop(self, callback: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to hear of it
            self._loop.call_soon_threadsafe(callback)


class IncomingAudio(_Incoming):
    """Gives each packet away as it comes, before any jitter buffer."""

    def __init__(self, receiver: RTCRtpReceiver, clock: Clock, on_first_frame: Callable[[], None]) -> None:
        super().__init__(receiver, clock, on_first_frame)
        self._sink: PacketSink | None = None
        self._sender_clock = SenderClock(CLOCK_RATE_HZ[Codec.OPUS])
        self._sequences = Unwrapper(16)
        self._timestamps = Unwrapper(32)

    def start(self, sink: PacketSink) -> None:
        """Once, before the receiver starts."""
        assert self._receiver is not None
        self._sink = sink
        compat.receive_encoded(self._receiver, self)

    def figures(self) -> dict[str, float | int]:
        return {} if self._sink is None else self._sink.figures()

    def on_packet(self, codec: str, packet: RtpPacket, data: bytes) -> None:
        if self._closed or self._sink is None or not data:
            return
        self.frames += 1
        self._sink.put(
            ReceivedPacket(
                self._sequences.unwrap(packet.sequence_number),
                self._timestamps.unwrap(packet.timestamp),
                data,
                self._clock.now(),
                self._sender_clock.time_of(packet.ssrc, packet.timestamp),
            )
        )

    def on_sender_report(self, ssrc: int, ntp_timestamp: int, rtp_timestamp: int) -> None:
        self._sender_clock.report(ssrc, ntp_timestamp, rtp_timestamp)


class IncomingVideo(_Incoming):
    """Puts pictures together and gives them away complete."""

    def __init__(
        self,
        receiver: RTCRtpReceiver,
        clock: Clock,
        on_first_frame: Callable[[], None],
        round_trip: Callable[[], float | None],
        tracer: Tracer = UNTRACED,
    ) -> None:
        """`round_trip` gives the newest measurement in seconds, None before the first."""
        super().__init__(receiver, clock, on_first_frame)
        self._tracer = tracer
        self._sink: PictureSink | None = None
        self._round_trip: Callable[[], float | None] | None = round_trip
        self._sender_clock = SenderClock(_VIDEO_RATE_HZ)
        self._timestamps = Unwrapper(32)
        self._missing = MissingPackets(clock, self._round_trip_s)
        self._buffer = FrameBuffer(self._give_up_s)
        self._requests = KeyFrameRequests()
        self._requesting: set[asyncio.Task[None]] = set()
        self._ssrc: int | None = None

    def start(self, sink: PictureSink) -> None:
        """Once, before the receiver starts."""
        assert self._receiver is not None
        self._sink = sink
        compat.receive_encoded(self._receiver, self, self._missing)

    def figures(self) -> dict[str, float | int]:
        own: dict[str, float | int] = {
            "retransmissions_asked": self._missing.asked,
            "key_frames_asked": self._requests.asked,
        }
        return own if self._sink is None else own | self._sink.figures()

    def request_key_frame(self) -> None:
        self._on_loop(self._want_key_frame)

    async def close(self) -> None:
        await super().close()
        self._round_trip = None
        await asyncio.gather(*self._requesting, return_exceptions=True)

    def on_packet(self, codec: str, packet: RtpPacket, data: bytes) -> None:
        if self._closed or self._sink is None:
            return
        now = self._clock.now()
        self._ssrc = packet.ssrc
        key = starts_key_frame(codec, packet.payload)
        waited = self._buffer.waits_for_key_frame
        need_key = self._buffer.add(
            MediaPacket(packet.sequence_number, packet.timestamp, bool(packet.marker), data, key, now)
        )
        if self._buffer.waits_for_key_frame and not waited:
            # The gap was given up, and with it everything before the key frame that is asked for now.
            self._missing.forget()
        while (frame := self._buffer.pop()) is not None:
            self._give(self._sink, _VIDEO_CODECS[codec], packet.ssrc, frame)
        if self._requests.want(now) if need_key else self._requests.due(now):
            self._send_request()

    def on_sender_report(self, ssrc: int, ntp_timestamp: int, rtp_timestamp: int) -> None:
        self._sender_clock.report(ssrc, ntp_timestamp, rtp_timestamp)

    def _give(self, sink: PictureSink, codec: Codec, ssrc: int, frame: AssembledFrame) -> None:
        self.frames += 1
        if frame.key:
            self._requests.arrived()
        self._missing.forget_before(frame.next_sequence)
        if self._tracer.on:
            self._tracer.took(Stage.ASSEMBLED, frame.arrival_time - frame.began_time)
        sink.put(
            ReceivedPicture(
                codec,
                frame.key,
                self._timestamps.unwrap(frame.timestamp),
                frame.data,
                frame.arrival_time,
                self._sender_clock.time_of(ssrc, frame.timestamp),
            )
        )

    def _give_up_s(self) -> float:
        """A gap may be asked for again once or twice before a key frame is quicker."""
        round_trip_s = self._round_trip_s()
        if round_trip_s is None:
            round_trip_s = UNKNOWN_ROUND_TRIP_S
        return min(GIVE_UP_S + 2 * round_trip_s, MAX_GIVE_UP_S)

    def _round_trip_s(self) -> float | None:
        return None if self._round_trip is None else self._round_trip()

    def _want_key_frame(self) -> None:
        if not self._closed and self._requests.want(self._clock.now()):
            self._send_request()

    def _send_request(self) -> None:
        if self._ssrc is None or self._receiver is None:
            return
        task = self._loop.create_task(compat.send_picture_loss(self._receiver, self._ssrc), name="rtc-pli")
        self._requesting.add(task)
        task.add_done_callback(self._requesting.discard)


IncomingTrack = IncomingAudio | IncomingVideo
