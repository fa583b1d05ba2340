# SPDX-License-Identifier: GPL-3.0-or-later
"""Two ends with the real media rooms: slots, shared encoders, mixer, virtual devices."""

import asyncio
import math
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest
from numpy.typing import NDArray

from callagent.agent.remote import RemoteOutputs
from callagent.devices.virtual import VirtualCamera, VirtualMicrophone, VirtualScreen, VirtualSpeaker
from callagent.media import CameraSlot, LocalStreams, MicrophoneSlot, SpeakerSlot, VideoSettings
from callagent.ports import Codec, MediaSessionState, PeerKey, VideoMode
from callagent.rtc import RtcSettings, WebRtcSessionFactory
from callagent.rtc.session import WebRtcSession
from tests.unit.rtc.parts import Listener, eventually, negotiate

MODE = VideoMode(320, 240, 15)
RATE_HZ = 48_000


class End:
    """One machine: virtual devices behind slots, one factory for all its sessions."""

    def __init__(self, user: str, ident: int, tone_hz: float, settings: RtcSettings) -> None:
        self.user = user
        self.camera_slot, self.microphone_slot, self.speaker_slot = (
            CameraSlot(),
            MicrophoneSlot(),
            SpeakerSlot(),
        )
        self.camera_slot.set_source(VirtualCamera(ident=ident))
        self.microphone_slot.set_source(VirtualMicrophone(tone_hz=tone_hz))
        self.speaker = VirtualSpeaker()
        self.speaker_slot.set_source(self.speaker)
        self.screen = VirtualScreen()
        self.streams = LocalStreams(self.camera_slot, self.microphone_slot, VideoSettings(320, 240, 15))
        self.remote = RemoteOutputs(self.speaker_slot.mixer, self.screen)
        self.factory = WebRtcSessionFactory(self.streams, self.remote, settings)
        self.camera_slot.start(MODE)
        self.microphone_slot.start()
        self.speaker_slot.start()

    def session(self, other: str) -> WebRtcSession:
        return self.factory.create(PeerKey("call", f"of-{other}", other, 1), self.user, (), Listener())

    def stop(self) -> None:
        self.camera_slot.stop()
        self.microphone_slot.stop()
        self.speaker_slot.stop()
        self.streams.wait_stopped(5)
        assert self.remote.wait_released(5)
        self.screen.close()


@asynccontextmanager
async def call(codec: Codec) -> AsyncIterator[tuple[End, End]]:
    before = set(threading.enumerate())
    settings = RtcSettings(video_codecs=(codec,))
    a, b = End("alice", 1, 1000.0, settings), End("bob", 2, 1500.0, settings)
    offerer, answerer = a.session("bob"), b.session("alice")
    try:
        await negotiate(offerer, answerer)
        await eventually(lambda: offerer.state == answerer.state == MediaSessionState.CONNECTED)
        yield a, b
    finally:
        await offerer.close()
        await answerer.close()
        for end in (a, b):
            await asyncio.to_thread(end.stop)
    # The loop's own worker threads stay; the devices' and encoders' may not.
    await eventually(lambda: not {t for t in set(threading.enumerate()) - before if "asyncio" not in t.name})


def tone_over_neighbours_db(samples: NDArray[np.int16], tone_hz: float) -> float:
    """Goertzel's figure: power at the tone over that 200 Hz to either side."""
    times = np.arange(len(samples)) / RATE_HZ

    def power(hz: float) -> float:
        return float(abs(np.dot(samples * np.hanning(len(samples)), np.exp(-2j * np.pi * hz * times))) ** 2)

    return 10 * math.log10(power(tone_hz) / max(power(tone_hz - 200), power(tone_hz + 200), 1e-9))


def hears(end: End, tone_hz: float) -> bool:
    samples = end.speaker.recent(0.5)
    return len(samples) >= RATE_HZ // 2 and tone_over_neighbours_db(samples, tone_hz) >= 20


@pytest.mark.parametrize("codec", [Codec.H264, Codec.VP8])
async def test_two_ends_see_and_hear_each_other(codec: Codec) -> None:
    async with call(codec) as (a, b):
        for end, ident, tone_hz in ((a, 2, 1500.0), (b, 1, 1000.0)):
            await eventually(lambda end=end: end.screen.read >= 20)  # type: ignore[misc]
            codes = [reading.code for reading in end.screen.readings() if reading.code.ident == ident]
            counters = [code.counter for code in codes]
            assert len(counters) >= 20
            assert counters == sorted(set(counters))
            await eventually(lambda end=end, hz=tone_hz: hears(end, hz))  # type: ignore[misc]


async def test_what_is_behind_a_slot_changes_and_the_session_does_not_notice() -> None:
    async with call(Codec.H264) as (a, b):
        await eventually(lambda: b.screen.read >= 5 and hears(b, 1000.0))
        a.camera_slot.set_source(VirtualCamera(ident=7))
        a.microphone_slot.set_source(VirtualMicrophone(tone_hz=2500.0))
        await eventually(lambda: b.screen.last_code is not None and b.screen.last_code.ident == 7)
        await eventually(lambda: hears(b, 2500.0))


async def test_camera_and_microphone_go_off_and_on_in_a_call() -> None:
    async with call(Codec.H264) as (a, b):
        await eventually(lambda: b.screen.read >= 5 and hears(b, 1000.0))
        a.microphone_slot.muted = True
        a.camera_slot.stop()
        await eventually(lambda: not np.any(np.abs(b.speaker.recent(0.3)) > 200))
        seen = b.screen.read
        a.microphone_slot.muted = False
        a.camera_slot.start(MODE)
        await eventually(lambda: hears(b, 1000.0))
        await eventually(lambda: b.screen.read >= seen + 10)
