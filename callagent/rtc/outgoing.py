# SPDX-License-Identifier: GPL-3.0-or-later
"""One kind of media on its way to one peer: subscribes to a shared stream and feeds an RTP sender."""

from collections.abc import Callable

from callagent.ports import (
    UNTRACED,
    Clock,
    Codec,
    Drop,
    EncodedFrame,
    EncodedStream,
    MonotonicClock,
    NetworkReport,
    Stage,
    Tracer,
)
from callagent.rtc.feedback import ReportFilter
from callagent.rtc.packing import RtpTimestamps, make_packer
from callagent.rtc.retransmissions import Retransmissions
from callagent.rtc.send_queue import SendQueue


class OutgoingTrack:
    """An `aiortc_compat.PacketSource`. Used on the loop.

    Subscribes before the connection stands, so that the encoder is running and
    a key frame waits when it does.
    """

    def __init__(
        self,
        stream: EncodedStream,
        subscriber: str,
        capacity: int,
        clock: Clock | None = None,
        tracer: Tracer = UNTRACED,
        known: NetworkReport | None = None,
    ) -> None:
        """`tracer` hears of pictures only; `known`: what is known of the way."""
        self.codec = stream.codec
        self._clock = clock or MonotonicClock()
        self._tracer = tracer if stream.codec is not Codec.OPUS else UNTRACED
        self._handed_at: float | None = None
        self._told_dropped = 0
        self.frames_sent = 0
        self.last_report: dict[str, float] = {}
        self._stream = stream
        self._subscriber = subscriber
        self._queue = SendQueue(capacity, self.on_key_frame_request)
        self._pack = make_packer(stream.codec)
        self._timestamps = RtpTimestamps(stream.codec)
        self._reports = ReportFilter()
        self.retransmissions = Retransmissions(self._clock)
        self._unsubscribe: Callable[[], None] | None = stream.subscribe(subscriber, self._queue, known)

    @property
    def frames_dropped(self) -> int:
        return self._queue.dropped

    async def next_frame(self) -> tuple[list[bytes], int]:
        if self._tracer.on:
            self._trace_sent()
        frame: EncodedFrame = await self._queue.get()
        if self._tracer.on:
            self._tracer.took(Stage.QUEUED, self._queue.waited_s)
            self._handed_at = self._clock.now()
        payloads = self._pack(frame.payload)
        self.frames_sent += 1
        self._reports.sent(frame.capture_time, sum(map(len, payloads)))
        return payloads, self._timestamps.stamp(frame.capture_time)

    def _trace_sent(self) -> None:
        """Asked for the next frame: the one before has left."""
        handed_at, self._handed_at = self._handed_at, None
        if handed_at is not None:
            self._tracer.took(Stage.SENT, self._clock.now() - handed_at)
        for _ in range(self._queue.dropped - self._told_dropped):
            self._tracer.dropped(Drop.BACKLOG)
        self._told_dropped = self._queue.dropped

    def on_key_frame_request(self) -> None:
        if self._unsubscribe is not None:
            self._stream.request_key_frame(self._subscriber)

    def on_report(self, report: NetworkReport) -> None:
        self.retransmissions.report(report)
        for name in ("available_bps", "fraction_lost", "round_trip_s"):
            value = getattr(report, name)
            if value is not None:
                self.last_report[name] = value
        if self._unsubscribe is not None and self._reports.passes(report):
            self._stream.report(self._subscriber, report)

    def close(self) -> None:
        """Leave the stream. Idempotent."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        self._queue.close()
