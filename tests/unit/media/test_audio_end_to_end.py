# SPDX-License-Identifier: GPL-3.0-or-later
"""From a microphone to a speaker on real threads, with a network that loses every twentieth packet."""

import time

import numpy as np

from callagent.devices.virtual import VirtualMicrophone, VirtualSpeaker
from callagent.media import MicrophoneSlot, SpeakerSlot
from callagent.media.audio_stream import AudioEncodedStream
from callagent.media.playout.audio import AudioPlayout
from callagent.media.sound import RATE_HZ
from callagent.ports import EncodedFrame, NetworkReport, ReceivedPacket
from tests.unit.media.counting_control import CountingControl


class LossyWire:
    """An `EncodedSink` that hands packets over as they would arrive from the network."""

    def __init__(self, playout: AudioPlayout) -> None:
        self._playout = playout
        self._sequence = 0

    def put(self, frame: EncodedFrame) -> None:
        self._sequence += 1
        if self._sequence % 20:
            timestamp = round(frame.capture_time * RATE_HZ)
            payload, now = bytes(frame.payload), time.monotonic()
            self._playout.put(ReceivedPacket(self._sequence, timestamp, payload, now, frame.capture_time))


def test_a_tone_goes_from_microphone_to_speaker() -> None:
    microphone, speaker_slot, speaker = MicrophoneSlot(), SpeakerSlot(), VirtualSpeaker()
    microphone.set_source(VirtualMicrophone(tone_hz=900))
    speaker_slot.set_source(speaker)
    control = CountingControl()
    playout = AudioPlayout(speaker_slot.mixer, control)
    stream = AudioEncodedStream(microphone)
    microphone.start()
    speaker_slot.start()
    leave = stream.subscribe("peer", LossyWire(playout))
    stream.report("peer", NetworkReport(fraction_lost=0.05))
    deadline = time.monotonic() + 20
    while playout.figures()["packets_missed"] < 6 and time.monotonic() < deadline:
        time.sleep(0.02)
    lag = playout.lag_s()
    sound = speaker.recent(1.0).astype(float)
    figures = playout.figures()
    leave()
    playout.close()
    for slot in (microphone, speaker_slot):
        slot.stop()
        assert slot.wait_closed(5)
    assert stream.wait_stopped(5)
    assert figures["packets_missed"] >= 6
    assert figures["packets_broken"] == figures["restarts"] == 0
    assert control.first == 1
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    assert abs(int(spectrum.argmax()) * RATE_HZ / len(sound) - 900) <= 5
    # Both ends have one clock here; a machine that is busy may add to the 20 ms of a packet and its delay.
    assert lag is None or 0.02 < lag < 0.7
    assert figures["level"] > 30
