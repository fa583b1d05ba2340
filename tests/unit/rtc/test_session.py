# SPDX-License-Identifier: GPL-3.0-or-later
"""Two sessions in one process over real UDP."""

import asyncio
import gc
import os
import threading
import weakref

import aioice.ice
import numpy as np
import pytest
from aiortc import RTCRtpReceiver, RTCRtpSender
from aiortc.rtp import RTCP_PSFB_APP, RtcpByePacket, RtcpPsfbPacket, pack_remb_fci

from callagent.ports import (
    Candidate,
    Codec,
    Layer,
    MediaSessionState,
    NetworkReport,
    SessionDescription,
    TrackInfo,
    TrackSource,
)
from callagent.rtc import RtcSettings
from callagent.rtc.session import WebRtcSession
from tests.unit.rtc.parts import Side, call, eventually, negotiate, reached

H264 = RtcSettings(video_codecs=(Codec.H264,))
VP8 = RtcSettings(video_codecs=(Codec.VP8,))


def video_sender(session: WebRtcSession) -> RTCRtpSender:
    return next(t.sender for t in session._connection.getTransceivers() if t.kind == "video")


def video_receiver(session: WebRtcSession) -> RTCRtpReceiver:
    return next(t.receiver for t in session._connection.getTransceivers() if t.kind == "video")


@pytest.mark.parametrize("settings", [H264, VP8], ids=["H264", "VP8"])
async def test_picture_and_sound_go_both_ways(settings: RtcSettings) -> None:
    a, b = Side("alice", settings), Side("bob", settings)
    async with call(a, b) as (offerer, answerer):
        for side, session in ((a, offerer), (b, answerer)):
            await reached(side.video(session), 20)
            await reached(side.audio(session), 20)
            counters = side.video(session).counters
            assert counters == sorted(set(counters))
            sound = side.audio(session).last
            assert sound is not None
            assert (sound.rate_hz, sound.channels, len(sound.samples)) == (48000, 2, 1920)
            assert np.abs(np.frombuffer(sound.samples, np.int16)).max() > 5000
            assert {kind for _, kind in side.listener.first} == {"audio", "video"}
            figures = await session.statistics()
            assert figures["video_codec"] == settings.video_codecs[0]
            assert figures["audio_codec"] == "opus"
            for name in ("packets", "bytes"):
                assert int(figures[f"{name}_sent"]) > 0
                assert int(figures[f"{name}_received"]) > 0
            assert 0 < float(figures["video_first_frame_s"]) < 15
            assert str(figures["local_candidate"]).startswith("host ")
    states = [state for _, state in a.listener.states]
    assert states == [MediaSessionState.CONNECTING, MediaSessionState.CONNECTED, MediaSessionState.CLOSED]


async def test_descriptions_announce_their_tracks_and_order_their_lines() -> None:
    a, b = Side("alice"), Side("bob")
    offerer, answerer = a.session("bob"), b.session("alice")
    try:
        offer = await offerer.create_offer()
        assert [line.split()[0] for line in offer.sdp.splitlines() if line.startswith("m=")] == [
            "m=audio",
            "m=video",
        ]
        assert offer.sdp.count("a=sendrecv") == 2
        assert "a=candidate" in offer.sdp
        own = [
            TrackInfo("alice/microphone/h", "alice", TrackSource.MICROPHONE, Layer.HIGH, "0"),
            TrackInfo("alice/camera/h", "alice", TrackSource.CAMERA, Layer.HIGH, "1"),
        ]
        assert list(offer.tracks) == own
        screen = TrackInfo("alice/screen/h", "alice", TrackSource.SCREEN, Layer.HIGH, "1")
        answer = await answerer.create_answer(SessionDescription("offer", offer.sdp, (screen,)))
        assert b.remote.tracks == [own[0], screen]
        await offerer.set_answer(SessionDescription("answer", answer.sdp))
        assert [track.id for track in a.remote.tracks] == ["bob/microphone/h", "bob/camera/h"]
    finally:
        await offerer.close()
        await answerer.close()


async def test_both_sides_send_what_each_prefers_of_what_the_other_has() -> None:
    a, b = Side("alice", RtcSettings(video_codecs=(Codec.H264, Codec.VP8))), Side("bob", VP8)
    async with call(a, b) as (offerer, answerer):
        await eventually(lambda: a.video(offerer).frames > 0 and b.video(answerer).frames > 0)
        assert (await offerer.statistics())["video_codec"] == Codec.VP8


async def test_no_common_codec_is_a_value_error() -> None:
    offerer, answerer = Side("alice", H264).session("bob"), Side("bob", VP8).session("alice")
    offer = await offerer.create_offer()
    with pytest.raises(ValueError):
        await answerer.create_answer(offer)
    await offerer.close()
    await answerer.close()


async def test_a_lost_picture_brings_a_key_frame() -> None:
    a, b = Side("alice", H264), Side("bob", H264)
    async with call(a, b) as (offerer, answerer):
        await reached(b.video(answerer), 3)
        stream = a.local.streams[Codec.H264]
        keys = stream.keys_made
        receiver = video_receiver(answerer)
        await receiver._send_rtcp_pli(video_sender(offerer)._ssrc)
        await eventually(lambda: stream.keys_made > keys)
        assert stream.key_requests == ["call/session-of-bob/1"]


async def test_the_encoder_hears_of_the_way() -> None:
    a, b = Side("alice", H264), Side("bob", H264)
    async with call(a, b) as (offerer, answerer):
        await reached(b.video(answerer), 3)
        reports = a.local.streams[Codec.H264].reports
        receiver = video_receiver(answerer)
        ssrc = video_sender(offerer)._ssrc
        fci = pack_remb_fci(20_000, [ssrc])
        await receiver._send_rtcp(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=fci))
        await eventually(lambda: ("call/session-of-bob/1", NetworkReport(available_bps=20_000)) in reports)
        await eventually(
            lambda: any(r.fraction_lost == 0.0 and r.round_trip_s is not None for _, r in reports)
        )
        assert 0 <= float((await offerer.statistics())["round_trip_s"]) < 5


async def test_a_camera_that_is_off_sends_nothing_and_breaks_nothing() -> None:
    settings = RtcSettings(video_codecs=(Codec.H264,), silence_timeout_s=2.0)
    a, b = Side("alice", settings), Side("bob", settings)
    a.local.video(Codec.H264, Layer.HIGH)
    stream = a.local.streams[Codec.H264]
    stream.paused = True
    async with call(a, b) as (_, answerer):
        await reached(b.audio(answerer), 120)
        assert b.video(answerer).frames == 0
        assert answerer.state is MediaSessionState.CONNECTED
        stream.paused = False
        await reached(b.video(answerer), 10)


@pytest.mark.parametrize("settings", [H264, VP8], ids=["H264", "VP8"])
async def test_lost_packets_never_make_a_broken_picture(
    settings: RtcSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = Side("alice", settings), Side("bob", settings)
    async with call(a, b) as (offerer, answerer):
        transport = video_sender(offerer).transport
        send, count = transport._send_rtp, 0

        async def lossy(data: bytes) -> None:
            nonlocal count
            count += 1
            if count % 7:
                await send(data)

        monkeypatch.setattr(transport, "_send_rtp", lossy)
        await reached(b.video(answerer), 60)
        counters = b.video(answerer).counters
        assert counters == sorted(set(counters))
        assert counters[-1] < 400


async def test_a_sender_that_pauses_with_bye_is_heard_again() -> None:
    a, b = Side("alice", H264), Side("bob", H264)
    async with call(a, b) as (offerer, answerer):
        await eventually(lambda: b.video(answerer).frames >= 3 and b.audio(answerer).frames >= 3)
        for transceiver in offerer._connection.getTransceivers():
            sender = transceiver.sender
            await sender._send_rtcp([RtcpByePacket(sources=[sender._ssrc])])
        frames, sounds = b.video(answerer).frames, b.audio(answerer).frames
        await eventually(
            lambda: b.video(answerer).frames > frames + 30 and b.audio(answerer).frames > sounds + 30
        )


async def test_a_new_epoch_is_made_beside_the_old_one() -> None:
    a, b = Side("alice", H264), Side("bob", H264)
    async with call(a, b, epoch=1) as (old_offerer, old_answerer):
        await reached(b.video(old_answerer), 3)
        async with call(a, b, epoch=2) as (_, new_answerer):
            await reached(b.video(new_answerer), 3)
            assert a.local.streams[Codec.H264].subscribers == [
                "call/session-of-bob/1",
                "call/session-of-bob/2",
            ]
            await old_offerer.close()
            await old_answerer.close()
            frames = b.video(new_answerer).frames
            await reached(b.video(new_answerer), frames + 10)
            assert b.remote.released == [old_answerer.peer]
            assert a.local.streams[Codec.H264].subscribers == ["call/session-of-bob/2"]


async def test_nobody_answers() -> None:
    side = Side("alice", RtcSettings(connect_timeout_s=0.3))
    session = side.session("bob")
    await session.create_offer()
    await eventually(lambda: session.state is MediaSessionState.FAILED, 5)
    with pytest.raises(ValueError):
        await session.set_answer(SessionDescription("answer", "v=0\r\n"))
    await session.close()
    assert [state for _, state in side.listener.states] == [
        MediaSessionState.CONNECTING,
        MediaSessionState.FAILED,
        MediaSessionState.CLOSED,
    ]


async def test_silence_is_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = Side("alice", RtcSettings(silence_timeout_s=1.0)), Side("bob")
    async with call(a, b) as (offerer, answerer):
        transport = video_sender(answerer).transport

        async def unplugged(data: bytes) -> None:
            pass

        monkeypatch.setattr(transport, "_send_rtp", unplugged)
        await eventually(lambda: offerer.state is MediaSessionState.FAILED)
        assert a.local.subscribers == []


async def test_the_other_side_closing_closes() -> None:
    a, b = Side("alice"), Side("bob")
    async with call(a, b) as (offerer, answerer):
        await reached(a.video(offerer), 1)
        await answerer.close()
        await eventually(lambda: offerer.state is MediaSessionState.CLOSED)
        assert a.remote.released == [offerer.peer]
        assert a.local.subscribers == []


async def test_descriptions_in_the_wrong_state_are_value_errors() -> None:
    a, b = Side("alice"), Side("bob")
    async with call(a, b) as (offerer, answerer):
        with pytest.raises(ValueError):
            await offerer.create_offer()
        with pytest.raises(ValueError):
            await answerer.create_answer(SessionDescription("offer", "v=0\r\n"))
        answer = SessionDescription("answer", answerer._connection.localDescription.sdp)
        with pytest.raises(ValueError):
            await offerer.set_answer(answer)
        assert offerer.state is MediaSessionState.CONNECTED
    with pytest.raises(ValueError):
        await offerer.create_offer()


async def test_garbage_is_a_value_error_and_leaves_the_session_usable() -> None:
    a, b = Side("alice"), Side("bob")
    offerer, answerer = a.session("bob"), b.session("alice")
    with pytest.raises(ValueError):
        await answerer.create_answer(SessionDescription("offer", "not sdp"))
    with pytest.raises(ValueError):
        await answerer.add_candidate(Candidate("candidate:nonsense", "0", 0))
    assert answerer.state is MediaSessionState.NEW
    await negotiate(offerer, answerer)
    await eventually(lambda: b.listener.first != [])
    await offerer.close()
    await answerer.close()


async def test_trickled_candidates_before_and_after_the_description() -> None:
    a, b = Side("alice"), Side("bob")
    offerer, answerer = a.session("bob"), b.session("alice")
    offer = await offerer.create_offer()
    lines = offer.sdp.splitlines()
    audio_lines = lines[: next(n for n, line in enumerate(lines) if line.startswith("m=video"))]
    bare = SessionDescription(
        "offer", "\r\n".join(line for line in lines if "candidate" not in line) + "\r\n", offer.tracks
    )
    candidates = [line[2:] for line in audio_lines if line.startswith("a=candidate")]
    hidden = (
        "candidate:1 1 udp 2113937151 270c73fd-8a5d-4d19-b822-75c18d81056e.local 52272 typ host generation 0"
    )
    tcp = "candidate:2 1 tcp 1518280447 192.0.2.9 9 typ host tcptype active"
    await answerer.add_candidate(Candidate(hidden, "0", 0))
    await answerer.add_candidate(Candidate(candidates[0], "0", 0))
    await offerer.set_answer(await answerer.create_answer(bare))
    for candidate in [*candidates[1:], tcp, hidden]:
        await answerer.add_candidate(Candidate(candidate, "0", 0))
    await answerer.add_candidate(Candidate("", "0", 0))
    await eventually(lambda: b.listener.first != [])
    await offerer.close()
    await answerer.close()
    await answerer.add_candidate(Candidate(candidates[0], "0", 0))


async def test_a_machine_without_network_uses_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: [])
    a, b = Side("alice"), Side("bob")
    async with call(a, b) as (offerer, _):
        await reached(a.video(offerer), 1)
        assert str((await offerer.statistics())["local_candidate"]).startswith("host 127.0.0.1:")


@pytest.mark.parametrize("steps", range(4))
async def test_close_while_connecting(steps: int) -> None:
    a, b = Side("alice"), Side("bob")
    tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
    offerer, answerer = a.session("bob"), b.session("alice")
    if steps == 1:
        offering = asyncio.create_task(offerer.create_offer())
        await asyncio.sleep(0)
        offering.cancel()
        await asyncio.gather(offering, return_exceptions=True)
    if steps >= 2:
        answer = await answerer.create_answer(await offerer.create_offer())
    if steps == 3:
        await offerer.set_answer(answer)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await offerer.close()
    assert loop.time() - began < 2
    await asyncio.gather(answerer.close(), answerer.close())
    assert offerer.state is answerer.state is MediaSessionState.CLOSED
    assert a.remote.released == [offerer.peer]
    assert asyncio.all_tasks() == tasks
    assert set(threading.enumerate()) == threads


async def test_twenty_calls_leave_nothing_behind() -> None:
    a, b = Side("alice"), Side("bob")
    tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
    sessions: weakref.WeakSet[WebRtcSession] = weakref.WeakSet()
    connections: weakref.WeakSet[object] = weakref.WeakSet()
    files = 0
    for round_ in range(20):
        async with call(a, b, epoch=round_) as (offerer, answerer):
            await reached(a.video(offerer), 1)
            await reached(b.video(answerer), 1)
            for session in (offerer, answerer):
                sessions.add(session)
                connections.add(session._connection)
        assert asyncio.all_tasks() == tasks
        assert set(threading.enumerate()) == threads
        if round_ == 0:
            files = len(os.listdir("/proc/self/fd"))
    assert a.local.subscribers == b.local.subscribers == []
    assert len(os.listdir("/proc/self/fd")) <= files
    del offerer, answerer, session
    gc.collect()
    assert len(sessions) == 0
    assert len(connections) == 0
