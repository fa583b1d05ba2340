# SPDX-License-Identifier: GPL-3.0-or-later
"""Two sessions in one process over real UDP."""

import asyncio
import contextlib
import gc
import itertools
import os
import random
import socket
import struct
import threading
import time
import weakref

import aioice.ice
import numpy as np
import pytest
from aiortc import RTCRtpReceiver, RTCRtpSender
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtp import RtcpByePacket, RtpPacket, is_rtcp

from callagent.ports import (
    Candidate,
    Codec,
    Layer,
    MediaSessionState,
    SessionDescription,
    TrackInfo,
    TrackSource,
)
from callagent.rtc import RtcSettings
from callagent.rtc import session as session_module
from callagent.rtc.header_extension import MAX_ID, with_extension
from callagent.rtc.key_frame_requests import ASK_AGAIN_S
from callagent.rtc.session import WebRtcSession
from tests.unit.rtc.parts import Side, call, eventually, negotiate, reached

H264 = RtcSettings(video_codecs=(Codec.H264,))
VP8 = RtcSettings(video_codecs=(Codec.VP8,))
RANDOM = random.Random(20261121)


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
            assert (sound.sample_rate, sound.layout.nb_channels, sound.samples) == (48000, 2, 960)
            assert np.abs(sound.to_ndarray()).max() > 5000
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


async def test_what_a_sink_gets_is_unwrapped_ordered_and_dated() -> None:
    a, b = Side("alice", H264), Side("bob", H264)
    async with call(a, b) as (_, answerer):
        playout, sound = b.remote.playouts[answerer.peer], b.audio(answerer)
        # Sender reports come about every second.
        await eventually(
            lambda: (
                playout.pictures != []
                and playout.pictures[-1].sender_time is not None
                and sound.packets[-1].sender_time is not None
            )
        )
        first = playout.pictures[0]
        assert first.key
        assert first.payload.startswith(b"\x00\x00\x00\x01")
        for received in (playout.pictures, sound.packets):
            times = [(each.timestamp, each.arrival_time) for each in received]
            assert times == sorted(times)
            assert times[-1][1] <= time.monotonic()
            sent = received[-1].sender_time
            assert sent is not None
            # Both ends are on one machine.
            way_s = time.time() - time.monotonic() + times[-1][1] - sent
            assert -0.5 < way_s < 2
        numbers = [packet.sequence for packet in sound.packets]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        figures = await answerer.statistics()
        assert int(figures["video_frames_decoded"]) > 0
        assert int(figures["audio_frames_decoded"]) > 0
        assert figures["video_frames_received"] == len(playout.pictures)


async def test_a_decoder_asks_for_a_key_frame_from_its_thread_and_requests_are_merged() -> None:
    a, b = Side("alice", H264), Side("bob", H264)
    async with call(a, b) as (_, answerer):
        await reached(b.video(answerer), 3)
        stream, control = a.local.streams[Codec.H264], b.remote.playouts[answerer.peer].control
        stream.force_ignored = True
        # A key frame that is made or on its way now would answer what is asked below.
        last = stream.frames_made + 1
        await eventually(lambda: b.video(answerer).counters[-1] > last)
        keys, heard = stream.keys_made, len(stream.key_requests)
        asked, began = int((await answerer.statistics())["video_key_frames_asked"]), time.monotonic()
        threads = [threading.Thread(target=control.request_key_frame) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # None comes, so it is asked for again, but not by everyone.
        await eventually(lambda: len(stream.key_requests) >= heard + 3)
        asked = int((await answerer.statistics())["video_key_frames_asked"]) - asked
        assert 3 <= asked <= 1 + (time.monotonic() - began) / ASK_AGAIN_S
        stream.force_ignored = False
        await eventually(lambda: stream.keys_made > keys)
    # A decoder may speak after the end.
    control.request_key_frame()
    control.first_frame()


async def test_first_frames_are_told_once() -> None:
    a, b = Side("alice", H264), Side("bob", H264)
    async with call(a, b) as (_, answerer):
        await reached(b.video(answerer), 3)
        await reached(b.audio(answerer), 3)
        await asyncio.to_thread(b.remote.playouts[answerer.peer].control.first_frame)
        await reached(b.video(answerer), 6)
        assert sorted(kind for _, kind in b.listener.first) == ["audio", "video"]


async def test_no_thread_of_aiortc_decodes() -> None:
    a, b = Side("alice", H264), Side("bob", H264)
    async with call(a, b) as (offerer, answerer):
        await reached(a.video(offerer), 3)
        await reached(b.video(answerer), 3)
        names = [thread.name for thread in threading.enumerate()]
        assert not [name for name in names if name.endswith("-decoder")]
        assert len([name for name in names if name.startswith("playout-")]) == 2


async def test_the_encoder_hears_of_the_way() -> None:
    a, b = Side("alice", H264), Side("bob", H264)
    async with call(a, b) as (offerer, answerer):
        await reached(b.video(answerer), 3)
        reports = a.local.streams[Codec.H264].reports
        await eventually(lambda: any(r.available_bps is not None for _, r in reports))
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


@pytest.mark.parametrize("settings", [H264, VP8], ids=["H264", "VP8"])
async def test_what_is_lost_over_a_long_way_is_sent_again_and_waited_for(
    settings: RtcSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every eighth packet of video, 100 ms there and back."""
    a, b = Side("alice", settings), Side("bob", settings)
    async with call(a, b) as (offerer, answerer):
        # What is asked for while the call begins is no loss.
        await reached(b.video(answerer), 1)
        asked = (await answerer.statistics())["video_key_frames_asked"]
        sender = video_sender(offerer)
        lost = make_long_and_lossy(sender.transport, monkeypatch, sender._ssrc)
        make_long_and_lossy(video_sender(answerer).transport, monkeypatch, None)
        playout = b.remote.playouts[answerer.peer]
        await eventually(lambda: len(playout.pictures) >= 90)
        await eventually(lambda: float(playout.figures()["playout_delay_ms"]) > 0)
        figures = await answerer.statistics()
        made = int((await offerer.statistics())["video_frames_sent"])
        assert figures["video_key_frames_asked"] == asked
        assert len(lost) >= 10
        assert int(figures["video_retransmissions_asked"]) >= 8
        # None is missing but those on the way.
        assert made - int(figures["video_frames_received"]) < 30
        times = [picture.timestamp for picture in playout.pictures]
        assert times == sorted(set(times))
        assert figures["video_frames_dropped_broken"] == 0


def make_long_and_lossy(
    transport: RTCDtlsTransport, monkeypatch: pytest.MonkeyPatch, lossy_ssrc: int | None
) -> list[bytes]:
    """50 ms one way; every eighth packet of this source is lost, and kept in the list returned."""
    send, loop = transport._send_rtp, asyncio.get_running_loop()
    on_the_way: set[asyncio.Task[None]] = set()
    numbers, lost = itertools.count(), list[bytes]()

    async def deliver(data: bytes) -> None:
        # What is still on its way at the end of the call is lost.
        with contextlib.suppress(ConnectionError):
            await send(data)

    def start(data: bytes) -> None:
        task = loop.create_task(deliver(data))
        on_the_way.add(task)
        task.add_done_callback(on_the_way.discard)

    async def send_late(data: bytes) -> None:
        if not is_rtcp(data) and RtpPacket.parse(data).ssrc == lossy_ssrc and next(numbers) % 8 == 7:
            lost.append(data)
        else:
            loop.call_later(0.05, start, data)

    monkeypatch.setattr(transport, "_send_rtp", send_late)
    return lost


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
    a, b = Side("alice", RtcSettings(silence_timeout_s=1.0, quiet_timeout_s=30.0)), Side("bob")
    async with call(a, b) as (offerer, answerer):
        _say_nothing(answerer, monkeypatch)
        _answer_nothing(answerer, monkeypatch)
        await eventually(lambda: offerer.state is MediaSessionState.FAILED)
        assert a.local.subscribers == []


async def test_who_still_answers_is_waited_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = Side("alice", RtcSettings(silence_timeout_s=1.0, quiet_timeout_s=4.0)), Side("bob")
    async with call(a, b) as (offerer, answerer):
        _say_nothing(answerer, monkeypatch)
        began = time.monotonic()
        await eventually(lambda: offerer.state is MediaSessionState.FAILED)
        assert time.monotonic() - began >= 3.0


def _say_nothing(session: WebRtcSession, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unplugged(data: bytes) -> None:
        pass

    # Below everything that sends: media, reports, feedback.
    monkeypatch.setattr(video_sender(session).transport.transport, "_send", unplugged)


def _answer_nothing(session: WebRtcSession, monkeypatch: pytest.MonkeyPatch) -> None:
    for protocol in video_sender(session).transport.transport._connection._protocols:
        monkeypatch.setattr(protocol, "send_stun", lambda message, address: None)


async def test_datagrams_of_a_stranger_end_nothing() -> None:
    a, b = Side("alice"), Side("bob")
    async with call(a, b) as (_, answerer):
        await reached(b.video(answerer), 3)
        pair = video_receiver(answerer).transport.transport._connection._nominated[1]
        way = socket.getaddrinfo(pair.local_candidate.host, pair.local_candidate.port, type=socket.SOCK_DGRAM)
        with socket.socket(way[0][0], socket.SOCK_DGRAM) as stranger:
            for first in (b"", *(bytes((number,)) for number in range(256))):
                stranger.sendto(first, way[0][4])
                stranger.sendto(first and first + RANDOM.randbytes(RANDOM.randrange(60)), way[0][4])
        await _goes_on(b, answerer)


async def test_packets_that_make_no_sense_end_nothing() -> None:
    """Of somebody who has the keys: header extensions of any length, reports that end too soon."""
    a, b = Side("alice"), Side("bob")
    async with call(a, b) as (offerer, answerer):
        await reached(b.video(answerer), 3)
        transport, ssrc, numbers = video_sender(offerer).transport, 4711, itertools.count(1)
        for number, length in itertools.product(range(1, MAX_ID + 1), range(1, 5)):
            bare = struct.pack("!BBHLL", 0x80, 97, next(numbers), 1, ssrc) + b"nothing"
            packet = with_extension(bare, number, RANDOM.randbytes(length))
            await transport.transport._send(transport._tx_srtp.protect(packet))
        for kind, count in itertools.product((*range(200, 208), 192), range(32)):
            words = RANDOM.randrange(6)
            head = struct.pack("!BBHL", 0x80 | count, kind, words + 1, ssrc)
            report = head + RANDOM.randbytes(4 * words)
            await transport.transport._send(transport._tx_srtp.protect_rtcp(report))
        await _goes_on(b, answerer)


async def _goes_on(side: Side, session: WebRtcSession) -> None:
    """Pictures still come."""
    await reached(side.video(session), side.video(session).frames + 10)
    assert session.state is MediaSessionState.CONNECTED


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


async def test_what_does_not_close_in_time_is_released_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that is slow at that moment: close() returns, threads and sockets go a little later."""
    monkeypatch.setattr(session_module, "CLOSE_TIMEOUT_S", 0.0)
    a, b = Side("alice"), Side("bob")
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    async with call(a, b) as (offerer, answerer):
        await reached(a.video(offerer), 1)
        await reached(b.video(answerer), 1)
        assert threading.active_count() > threads
    assert offerer.state is MediaSessionState.CLOSED
    await eventually(
        lambda: threading.active_count() <= threads and len(os.listdir("/proc/self/fd")) <= descriptors
    )
