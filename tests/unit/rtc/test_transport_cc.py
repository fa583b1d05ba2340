# SPDX-License-Identifier: GPL-3.0-or-later
"""Congestion control plugged into sessions: who takes part, what is stamped, who obeys whom."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiortc import RTCRtpTransceiver
from aiortc.rtp import RTCP_PSFB_APP, RtcpPsfbPacket, RtpPacket, pack_remb_fci
from aiortc.sdp import SessionDescription as ParsedDescription

from callagent.ports import Codec, MediaSessionState, NetworkReport, SessionDescription
from callagent.rtc import RtcSettings
from callagent.rtc.session import WebRtcSession
from callagent.rtc.transport_cc import URI, extension_id
from tests.unit.rtc.parts import Side, call, eventually, reached

H264 = RtcSettings(video_codecs=(Codec.H264,))
Rewrite = Callable[[str], str]


def received_by(session: WebRtcSession) -> list[RtpPacket]:
    """Every packet that comes in from now on, as it comes."""
    seen: list[RtpPacket] = []
    router = video(session).receiver.transport._rtp_router
    route = router.route_rtp

    def record(packet: RtpPacket) -> object:
        seen.append(packet)
        return route(packet)

    router.route_rtp = record  # type: ignore[method-assign, assignment]
    return seen


def without(*words: str) -> Rewrite:
    """Takes the lines out of a description that have one of these words."""
    return lambda sdp: "".join(
        line for line in sdp.splitlines(keepends=True) if not any(word in line for word in words)
    )


NOTHING_NEW = without(URI, "transport-cc")


@asynccontextmanager
async def rewritten_call(
    a: Side, b: Side, offers: Rewrite
) -> AsyncIterator[tuple[WebRtcSession, WebRtcSession]]:
    offerer, answerer = a.session(b.user), b.session(a.user)
    try:
        offer = await offerer.create_offer()
        rewritten = SessionDescription("offer", offers(offer.sdp), offer.tracks)
        await offerer.set_answer(await answerer.create_answer(rewritten))
        await eventually(lambda: offerer.state == answerer.state == MediaSessionState.CONNECTED)
        yield offerer, answerer
    finally:
        await offerer.close()
        await answerer.close()


def video(session: WebRtcSession) -> RTCRtpTransceiver:
    return next(t for t in session._connection.getTransceivers() if t.kind == "video")


async def send_remb(session: WebRtcSession, other: WebRtcSession, bps: int) -> None:
    fci = pack_remb_fci(bps, [video(other).sender._ssrc])
    await video(session).receiver._send_rtcp(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=fci))


async def test_offer_and_answer_take_part_on_every_line() -> None:
    a, b = Side("alice"), Side("bob")
    async with call(a, b) as sessions:
        for session in sessions:
            lines = ParsedDescription.parse(session._connection.localDescription.sdp).media
            idents = {extension_id(line) for line in lines}
            assert len(lines) == 2
            assert len(idents) == 1
            assert None not in idents
            taken = [e.id for line in lines for e in line.rtp.headerExtensions if e.uri != URI]
            assert idents.isdisjoint(taken)


def test_who_takes_no_part() -> None:
    head = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"
    codec, told = "a=rtpmap:111 opus/48000/2\r\n", "a=rtcp-fb:111 transport-cc\r\n"

    def ident(*lines: str) -> int | None:
        (media,) = ParsedDescription.parse(head + "".join(lines)).media
        return extension_id(media)

    assert ident(f"a=extmap:3 {URI}\r\n", codec, told) == 3
    assert ident(f"a=extmap:3 {URI}\r\n", codec) is None
    assert ident(codec, told) is None
    # Would need the two-byte form (RFC 8285 section 4.3), which needs to be negotiated itself.
    assert ident(f"a=extmap:15 {URI}\r\n", codec, told) is None


async def test_every_packet_is_stamped_in_the_order_of_leaving_and_told_of() -> None:
    a, b = Side("alice", H264), Side("bob", H264)
    async with call(a, b) as (offerer, answerer):
        seen = received_by(answerer)
        sender = video(offerer).sender
        await reached(b.video(answerer), 5)
        await sender._retransmit(next(p.sequence_number for p in reversed(seen) if p.ssrc == sender._ssrc))
        await eventually(lambda: any(p.ssrc == sender._rtx_ssrc and p.payload for p in seen))
        await eventually(lambda: len(seen) >= 60)
        numbers = [packet.extensions.transport_sequence_number for packet in seen]
        assert None not in numbers
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))  # type: ignore[arg-type, operator]
        kinds = {t.sender._ssrc for t in offerer._connection.getTransceivers()}
        assert kinds <= {packet.ssrc for packet in seen}
        await eventually(lambda: offerer._congestion.overrules_remb and answerer._congestion.overrules_remb)
        assert offerer._congestion.controller.fraction_lost in (None, 0.0)


async def test_probes_find_a_wide_way_though_little_is_sent() -> None:
    settings = RtcSettings(video_codecs=(Codec.H264,), start_bps=300_000, max_bps=2_000_000)
    a, b = Side("alice", settings), Side("bob", settings)
    async with call(a, b) as (offerer, answerer):
        await reached(b.video(answerer), 5)
        await eventually(lambda: offerer._congestion.controller.target_bps > 1_000_000)
        beginning = NetworkReport(available_bps=300_000, loss_counted=True)
        assert a.local.streams[Codec.H264].known == [beginning], "the first key frame is made for it, too"
        reports = [r.available_bps for _, r in a.local.streams[Codec.H264].reports if r.available_bps]
        # All of it but for the sound.
        assert 250_000 < reports[0] <= 300_000
        await eventually(
            lambda: any((r.available_bps or 0) > 900_000 for _, r in a.local.streams[Codec.H264].reports)
        )


async def test_who_tells_of_every_packet_does_not_estimate_as_well() -> None:
    a, b = Side("alice"), Side("bob")
    estimator = "_RTCRtpReceiver__remote_bitrate_estimator"
    async with call(a, b) as sessions:
        assert [getattr(video(session).receiver, estimator) for session in sessions] == [None, None]
    async with rewritten_call(a, b, NOTHING_NEW) as sessions:
        assert all(getattr(video(session).receiver, estimator) is not None for session in sessions)


async def test_remb_means_nothing_to_a_sender_that_is_told_of_every_packet() -> None:
    a, b = Side("alice", H264), Side("bob", H264)
    async with call(a, b) as (offerer, answerer):
        await eventually(lambda: offerer._congestion.overrules_remb)
        await send_remb(answerer, offerer, 20_000)
        stream = a.local.streams[Codec.H264]
        keys = len(stream.key_requests)
        # What was sent later has been handled: so was the REMB.
        await video(answerer).receiver._send_rtcp_pli(video(offerer).sender._ssrc)
        await eventually(lambda: len(stream.key_requests) > keys)
        assert ("call/session-of-bob/1", NetworkReport(available_bps=20_000)) not in stream.reports


async def test_a_peer_without_it_is_obeyed_by_remb() -> None:
    a, b = Side("alice", H264), Side("bob", H264)
    async with rewritten_call(a, b, NOTHING_NEW) as (offerer, answerer):
        assert not offerer._congestion.negotiated
        assert not answerer._congestion.negotiated
        assert a.local.streams[Codec.H264].known == [None]
        await reached(b.video(answerer), 3)
        await send_remb(answerer, offerer, 20_000)
        reports = a.local.streams[Codec.H264].reports
        await eventually(lambda: ("call/session-of-bob/1", NetworkReport(available_bps=20_000)) in reports)


def without_on_sound(sdp: str) -> str:
    head, audio_mark, rest = sdp.partition("m=audio")
    sound, video_mark, pictures = rest.partition("m=video")
    return head + audio_mark + NOTHING_NEW(sound) + video_mark + pictures


async def test_a_line_that_takes_no_part_is_not_stamped() -> None:
    a, b = Side("alice", H264), Side("bob", H264)
    async with rewritten_call(a, b, without_on_sound) as (offerer, answerer):
        seen = received_by(answerer)
        await reached(b.video(answerer), 10)
        await reached(b.audio(answerer), 10)
        assert offerer._congestion.negotiated
        pictures = {video(offerer).sender._ssrc, video(offerer).sender._rtx_ssrc}
        for packet in list(seen):
            stamped = packet.extensions.transport_sequence_number is not None
            assert stamped is (packet.ssrc in pictures)


async def test_the_figures_tell_of_the_way() -> None:
    a, b = Side("alice", H264), Side("bob", H264)
    async with call(a, b) as (offerer, _):
        await eventually(lambda: offerer._congestion.overrules_remb)
        figures = await offerer.statistics()
        assert int(figures["available_bps"]) > 0
        assert 0 <= float(figures["way_queue_s"]) < 5
        assert figures["paced_packets_dropped"] == 0


async def test_the_tasks_end_with_the_session() -> None:
    a, b = Side("alice", H264), Side("bob", H264)
    async with call(a, b) as (_, answerer):
        await reached(b.video(answerer), 1)
        names = [task.get_name() for task in asyncio.all_tasks()]
        assert names.count("rtc-pacer") == names.count("rtc-feedback") == 2
    assert not {"rtc-pacer", "rtc-feedback"} & {task.get_name() for task in asyncio.all_tasks()}
