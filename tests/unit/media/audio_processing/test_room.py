# SPDX-License-Identifier: GPL-3.0-or-later
"""Slots, threads and processing together, in real time: a microphone that hears the speaker."""

import threading
import time
from collections import deque

import numpy as np

from benchmarks.echo_room import voice
from callagent.devices.virtual import VirtualMicrophone, VirtualSpeaker
from callagent.media import MicrophoneSlot, SpeakerSlot
from callagent.media.audio_processing import SoundProcessing
from callagent.ports import AudioFrame, AudioPull, AudioSink
from tests.unit.media.collector import Collector

DELAY_FRAMES = 6
PATIENCE_S = 30.0


class Room:
    """The air between a speaker and a microphone: what is pulled is heard 60 ms later, half as loud."""

    def __init__(self) -> None:
        self._air: deque[memoryview] = deque(maxlen=50)
        self.speaker = _Speaker(self._air)
        self.microphone = _Microphone(self._air)


class _Speaker(VirtualSpeaker):
    def __init__(self, air: deque[memoryview]) -> None:
        super().__init__("speaker")
        self._air = air

    def open(self, pull: AudioPull) -> None:
        def heard() -> memoryview:
            self._air.append(pull())
            return self._air[-1]

        super().open(heard)


class _Microphone(VirtualMicrophone):
    def __init__(self, air: deque[memoryview]) -> None:
        super().__init__("microphone", hears_room=True)
        self._air = air

    def open(self, sink: AudioSink) -> None:
        class Ear:
            def __init__(self, air: deque[memoryview]) -> None:
                self.air = air

            def put(self, frame: AudioFrame) -> None:
                sound = np.zeros(480, np.int16)
                if len(self.air) > DELAY_FRAMES:
                    sound = np.frombuffer(self.air.popleft(), np.int16) // 2
                sink.put(AudioFrame(sound.data, 48_000, 1, frame.capture_time))

        super().open(Ear(self._air))


def test_the_echo_is_cancelled_between_real_threads() -> None:
    room, processing = Room(), SoundProcessing(idle_s=0.3)
    microphone, speaker = MicrophoneSlot(processing=processing), SpeakerSlot(processing=processing)
    sent: Collector[AudioFrame] = Collector()
    microphone.subscribe(sent)
    far, stop = voice(3, 8), threading.Event()

    def talk() -> None:
        """The other side: sound that comes as its own time passes."""
        remote, frame, began = speaker.mixer.add("remote"), 0, time.monotonic()
        stretches = (far * 32_768).astype(np.int16).reshape(-1, 480)
        while not stop.wait(max(0.0, began + frame * 0.01 - time.monotonic())):
            remote.put(AudioFrame(stretches[frame % len(stretches)].data, 48_000, 1, time.monotonic()))
            frame += 1

    speaker.set_source(room.speaker)
    microphone.set_source(room.microphone)
    speaker.start()
    microphone.start()
    talker = threading.Thread(target=talk, name="talker", daemon=True)
    talker.start()

    def cancelled() -> bool:
        erle = processing.figures().get("erle_db")
        return isinstance(erle, float) and erle > 15.0

    try:
        sent.wait_more(300, PATIENCE_S)
        sent.wait_until(cancelled, PATIENCE_S)
        figures = processing.figures()
        assert figures["processing"] == "full duplex"
        assert isinstance(figures["delay_ms"], int)
    finally:
        stop.set()
        talker.join(5)
        microphone.stop()
        speaker.stop()
    assert microphone.wait_closed(5)
    assert speaker.wait_closed(5)
    assert processing.wait_idle(5)
