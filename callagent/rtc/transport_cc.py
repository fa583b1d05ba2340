# SPDX-License-Identifier: GPL-3.0-or-later
"""Congestion control of one session: negotiates it, stamps and paces what leaves, tells of what arrives.

Negotiation and header extension: draft-holmer-rmcat-transport-wide-cc-extensions-01.
A peer without it keeps what aiortc has, REMB.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable

from aiortc import RTCRtpSender, RTCRtpTransceiver
from aiortc.rtcrtpparameters import RTCRtcpFeedback, RTCRtpHeaderExtensionParameters
from aiortc.sdp import MediaDescription, SessionDescription

from callagent.ports import Clock
from callagent.rtc import congestion_compat as compat
from callagent.rtc.congestion.acknowledged import RecentRate
from callagent.rtc.congestion.arrivals import Arrivals
from callagent.rtc.congestion.controller import CongestionController
from callagent.rtc.congestion.pacer import Paced, Pacer
from callagent.rtc.congestion.transport_feedback import FeedbackError, parse_feedback, split_compound
from callagent.rtc.header_extension import MAX_ID, with_extension

logger = logging.getLogger(__name__)

URI = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
FEEDBACK = "transport-cc"
_REPORT_CHANGE = 0.03
"""Smaller changes of the rate are not worth an encoder's while."""
_PROBE_STEP_S = 0.005
"""Whether to probe is asked as often at most: a picture's packets leave within one millisecond."""


def offer(sdp: str) -> str:
    """An offer of aiortc's with transport-wide feedback offered on every line."""
    description = SessionDescription.parse(sdp)
    taken = {extension.id for media in description.media for extension in media.rtp.headerExtensions}
    # One number for all lines, because they share one transport (RFC 8843 section 9.2).
    ident = next(ident for ident in range(1, MAX_ID + 1) if ident not in taken)
    for media in description.media:
        media.rtp.headerExtensions.append(RTCRtpHeaderExtensionParameters(id=ident, uri=URI))
        for codec in media.rtp.codecs:
            if codec.name.lower() != "rtx":
                codec.rtcpFeedback.append(RTCRtcpFeedback(type=FEEDBACK))
    return str(description)


def extension_id(media: MediaDescription) -> int | None:
    """Under which number a line of the other side's takes part, 1 to 14."""
    if not any(feedback.type == FEEDBACK for codec in media.rtp.codecs for feedback in codec.rtcpFeedback):
        return None
    return next((e.id for e in media.rtp.headerExtensions if e.uri == URI and 1 <= e.id <= MAX_ID), None)


class TransportCc:
    """An `congestion_compat.TransportWatcher`. Used on the loop; does nothing until it was negotiated."""

    def __init__(
        self, controller: CongestionController, clock: Clock, on_available: Callable[[int], None]
    ) -> None:
        """`on_available` hears, in bit/s, what the way carries besides sound and what is sent again."""
        self.controller = controller
        self._clock = clock
        self._on_available = on_available
        self._pacer = Pacer(controller.pacing_bps, controller.burst_bytes)
        self._sound = RecentRate()
        self._resent = RecentRate()
        self._arrivals: Arrivals | None = None
        self._send: Callable[[bytes], Awaitable[None]] | None = None
        self._extension_id = 0
        self._sequence = 0
        self._senders: dict[str, RTCRtpSender] = {}
        self._sources: set[bytes] = set()
        self._sound_ssrc = b""
        self._retransmission_ssrc = b""
        self._probe_asked_at = float("-inf")
        self._heard = False
        self._reported_bps: int | None = None
        self._wake = asyncio.Event()
        self._short = asyncio.Event()
        self._arrived = asyncio.Event()
        self._pacing: asyncio.Task[None] | None = None
        self._telling: asyncio.Task[None] | None = None

    @property
    def negotiated(self) -> bool:
        return self._send is not None

    @property
    def start_bps(self) -> int | None:
        """What may be sent before anything is known of the way; None where it was not negotiated."""
        return self.controller.target_bps if self.negotiated else None

    def figures(self) -> dict[str, float | int]:
        """For the statistics of the connection: `available_bps` in all, `way_queue_s` in seconds."""
        if not self._heard:
            return {}
        return {
            "available_bps": self.controller.target_bps,
            "way_queue_s": round(self.controller.queue_s, 4),
            "paced_packets_dropped": self._pacer.dropped,
        }

    def accept(self, remote_sdp: str, transceivers: Iterable[RTCRtpTransceiver]) -> None:
        """The remote description was just set: take part on the lines on which the other side does.

        To be called before anything else runs on the loop, so that the senders start with it.
        """
        by_mid = {transceiver.mid: transceiver for transceiver in transceivers}
        accepted: list[RTCRtpTransceiver] = []
        for media in SessionDescription.parse(remote_sdp).media:
            ident, transceiver = extension_id(media), by_mid.get(media.rtp.muxId)
            if ident is None or transceiver is None or (accepted and ident != self._extension_id):
                continue
            self._extension_id = ident
            compat.use_header_extension(transceiver, ident, URI)
            compat.use_rtcp_feedback(transceiver, FEEDBACK)
            compat.tell_no_remb(transceiver)
            accepted.append(transceiver)
        if accepted and not self.negotiated:
            self._begin(accepted)

    async def close(self) -> None:
        """Stop telling and sending. Idempotent."""
        tasks = [task for task in (self._pacing, self._telling) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, transceivers: Iterable[RTCRtpTransceiver]) -> None:
        for transceiver in transceivers:
            sender = transceiver.sender
            self._senders[transceiver.kind] = sender
            own = compat.ssrc(sender).to_bytes(4, "big")
            retransmission = compat.retransmission_ssrc(sender).to_bytes(4, "big")
            self._sources |= {own, retransmission}
            if transceiver.kind == "audio":
                self._sound_ssrc = own
            else:
                self._retransmission_ssrc = retransmission
            self._arrivals = self._arrivals or Arrivals(compat.ssrc(sender))
            self._send = self._send or compat.watch_transport(sender.transport, self)
        loop = asyncio.get_running_loop()
        self._pacing = loop.create_task(self._pace(), name="rtc-pacer")
        self._telling = loop.create_task(self._tell(), name="rtc-feedback")

    # What leaves

    async def send_rtp(self, packet: bytes) -> None:
        """Send one RTP packet: sound now, the rest paced. Waits while pictures should rather be skipped.

        Raises ConnectionError when the connection is gone.
        """
        now = self._clock.now()
        source = packet[8:12]
        if source not in self._sources:
            # Of a line on which the other side takes no part.
            assert self._send is not None
            await self._send(packet)
            return
        if source == self._sound_ssrc:
            self._pacer.passed(len(packet), now)
            self._sound.add(now, len(packet))
            await self._leave(packet, None)
            return
        urgent = source == self._retransmission_ssrc
        self._pacer.put(packet, urgent=urgent)
        if urgent:
            self._resent.add(now, len(packet))
        if self._reported_bps is None:
            self._report()
        await self._leave_due()
        self._wake.set()
        if urgent:
            # Those who retransmit read the network; they must not wait for it.
            return
        assert self._pacing is not None
        while self._pacer.is_long and not self._pacing.done():
            self._short.clear()
            await self._short.wait()

    async def _pace(self) -> None:
        try:
            while True:
                now = self._clock.now()
                due = self._pacer.next_at(now)
                if due is None:
                    self._wake.clear()
                    await self._wake.wait()
                    continue
                await asyncio.sleep(due - now)
                await self._leave_due()
        except ConnectionError:
            logger.debug("the connection is gone, nothing is paced any more")
        except Exception:
            logger.exception("pacing failed")
        finally:
            # Whoever waits for a shorter queue waits for nothing now.
            self._short.set()

    async def _leave_due(self) -> None:
        now = self._clock.now()
        if now - self._probe_asked_at >= _PROBE_STEP_S:
            self._probe_asked_at = now
            self._start_probe(now)
        while (paced := self._pacer.take(self._clock.now())) is not None:
            packet = self._packet(paced)
            if packet is not None:
                await self._leave(packet, paced.probe)
        if not self._pacer.is_long:
            self._short.set()

    def _start_probe(self, now: float) -> None:
        video = self._senders.get("video")
        if video is None or not compat.can_pad(video):
            return
        probe = self.controller.probe_due(now)
        if probe is not None:
            self._pacer.start_probe(probe)

    def _packet(self, paced: Paced) -> bytes | None:
        if paced.packet is not None:
            return paced.packet
        return compat.padding_packet(self._senders["video"], paced.padding)

    async def _leave(self, packet: bytes, probe: int | None) -> None:
        assert self._send is not None
        sequence, self._sequence = self._sequence, (self._sequence + 1) & 0xFFFF
        stamped = with_extension(packet, self._extension_id, sequence.to_bytes(2, "big"))
        self.controller.on_sent(sequence, len(stamped), self._clock.now(), probe)
        await self._send(stamped)

    # What the other side tells

    @property
    def overrules_remb(self) -> bool:
        """The other side's REMB means nothing once it tells of every packet."""
        return self._heard

    def on_rtcp(self, data: bytes) -> bytes:
        """Take the transport-wide feedback out of a compound packet; gives the rest."""
        messages, rest = split_compound(data)
        for message in messages:
            try:
                feedback = parse_feedback(message)
            except FeedbackError as error:
                logger.debug("the other side's feedback is unusable: %s", error)
                continue
            self._heard = True
            self.controller.on_feedback(feedback, self._clock.now())
        if messages:
            self._report()
            self._wake.set()
        return rest

    def _report(self) -> None:
        target = self.controller.target_bps
        self._pacer.set_pace(self.controller.pacing_bps, self.controller.burst_bytes)
        now = self._clock.now()
        # What is sent again takes its part, but never most of it: pictures are what it is for.
        resent = min(self._resent.bps(now), target / 2)
        available = max(target - int(self._sound.bps(now) + resent), 0)
        reported = self._reported_bps
        if reported is None or abs(available - reported) > _REPORT_CHANGE * reported:
            self._reported_bps = available
            self._on_available(available)

    # What arrives

    def on_arrival(self, sequence: int, ssrc: int, size: int) -> None:
        """An RTP packet of `size` bytes with this transport-wide sequence number was just read."""
        assert self._arrivals is not None
        self._arrivals.add(sequence, ssrc, size, self._clock.now())
        self._arrived.set()

    async def _tell(self) -> None:
        assert self._arrivals is not None
        assert self._send is not None
        with contextlib.suppress(ConnectionError):
            while True:
                await self._arrived.wait()
                await asyncio.sleep(self._arrivals.interval_s)
                self._arrived.clear()
                for message in self._arrivals.take(self._clock.now()):
                    await self._send(message.serialize())
