# SPDX-License-Identifier: GPL-3.0-or-later
import dataclasses
import threading

import numpy as np

from callagent.agent.remote import RemoteOutputs
from callagent.media import Mixer
from callagent.media.opus import OpusEncoder
from callagent.ports import (
    Codec,
    Layer,
    PeerKey,
    ReceivedPacket,
    ReceivedPicture,
    TrackInfo,
    TrackSource,
    VideoFrame,
)
from tests.clock import HandClock
from tests.unit.media.collector import Collector
from tests.unit.media.test_decoders import encoded

PEER = PeerKey("call", "session", "bob", 1)
SOUND = TrackInfo("bob/microphone/h", "bob", TrackSource.MICROPHONE, Layer.HIGH, "0")
PICTURE = TrackInfo("bob/camera/h", "bob", TrackSource.CAMERA, Layer.HIGH, "1")


class Control:
    def __init__(self) -> None:
        self.first = threading.Event()
        self.firsts = 0
        self.key_frames = 0

    def request_key_frame(self) -> None:
        self.key_frames += 1

    def first_frame(self) -> None:
        self.firsts += 1
        self.first.set()


def tone_packets(count: int) -> list[ReceivedPacket]:
    encoder, packets = OpusEncoder(), []
    for number in range(count):
        times = np.arange(number * 960, (number + 1) * 960) / 48_000
        samples = (10_000 * np.sin(2 * np.pi * 500 * times)).astype(np.int16)
        payload = encoder.encode(samples)
        assert payload is not None
        packets.append(ReceivedPacket(number, number * 960, bytes(payload), 5.0, None))
    return packets


def loudness(mixer: Mixer, watch: HandClock) -> int:
    """Of the next 10 ms."""
    watch.seconds += 0.01
    return int(np.abs(np.frombuffer(mixer.pull(), np.int16)).max())


def test_sound_reaches_the_mixer_until_the_peer_is_released() -> None:
    mixer, control, watch = Mixer(), Control(), HandClock(5.0)
    outputs = RemoteOutputs(mixer, Collector[VideoFrame](), watch)
    sink = outputs.audio_sink(PEER, SOUND, control)
    loudest = 0
    for packet in tone_packets(20):
        sink.put(dataclasses.replace(packet, arrival_time=watch.seconds))
        loudest = max(loudest, loudness(mixer, watch), loudness(mixer, watch))
    assert loudest > 5000
    assert control.firsts == 1
    assert outputs.levels()["bob"] > 0
    outputs.release(PEER)
    outputs.release(PEER)
    assert loudness(mixer, watch) == 0
    assert outputs.levels() == {}


def test_a_track_that_is_announced_anew_sounds_once() -> None:
    mixer, watch = Mixer(), HandClock(5.0)
    outputs = RemoteOutputs(mixer, Collector[VideoFrame](), watch)
    before = outputs.audio_sink(PEER, SOUND, Control())
    outputs.audio_sink(PEER, SOUND, Control())
    for packet in tone_packets(20):
        before.put(dataclasses.replace(packet, arrival_time=watch.seconds))
        assert loudness(mixer, watch) == loudness(mixer, watch) == 0
    outputs.release(PEER)


def test_pictures_reach_the_screen_until_the_peer_is_released() -> None:
    screen, control = Collector[VideoFrame](), Control()
    outputs = RemoteOutputs(Mixer(), screen)
    sink = outputs.video_sink(PEER, PICTURE, control)
    pictures: list[ReceivedPicture] = encoded(Codec.VP8, 3)
    sink.put(pictures[0])
    screen.wait(1)
    assert control.first.wait(5)
    outputs.release(PEER)
    sink.put(pictures[1])
    assert outputs.wait_released(5)
    assert len(screen.frames) == 1
    outputs.release(PEER)
