# SPDX-License-Identifier: GPL-3.0-or-later
"""The playout between the event loop and the mixer."""

import numpy as np
import pytest

from benchmarks.audio_network import (
    Speech,
    speech,
)
from callagent.media import Mixer
from callagent.media.opus import OpusEncoder, OpusError, OpusSettings
from callagent.media.playout.audio import AudioPlayout
from callagent.media.sound import RATE_HZ, Samples
from callagent.ports import ReceivedPacket
from tests.clock import HandClock
from tests.unit.media.counting_control import CountingControl
from tests.unit.media.numbered_tone import NumberedTone, received


@pytest.fixture(scope="module")
def said() -> Speech:
    return speech(10.0)


def test_packets_in_sound_out_of_the_mixer(said: Speech) -> None:
    mixer, control, clock = Mixer(), CountingControl(), HandClock(50.0)
    playout = AudioPlayout(mixer, control, clock=clock)
    heard: list[Samples] = []
    for number in range(150):
        playout.put(
            ReceivedPacket(number, number * 960, said.payload(number), clock.seconds, 1000.0 + number * 0.02)
        )
        for _ in range(2):
            heard.append(np.frombuffer(mixer.pull(), np.int16))
            clock.seconds += 0.01
    assert control.first == 1
    sound = np.concatenate(heard)[RATE_HZ:].astype(float)
    level = np.sqrt(np.mean(said.original[: 3 * RATE_HZ].astype(float) ** 2))
    assert 0.7 * level < np.sqrt(np.mean(sound**2)) < 1.4 * level
    figures = playout.figures()
    assert figures["packets_taken"] == 150
    assert figures["packets_missed"] == figures["concealed_samples"] == 0
    assert 15 <= figures["target_ms"] <= 40
    assert 0 < figures["buffered_ms"] < 100
    assert 50 < playout.level == figures["level"] < 100
    # The last packet, captured from 1002.98 s on, came 20 ms ago.
    delay_s = figures["delay_ms"] / 1000
    assert playout.sender_time() == pytest.approx(1003.0 - delay_s, abs=0.003)
    assert playout.lag_s() == pytest.approx(clock.seconds - 1003.0 + delay_s, abs=0.003)
    clock.seconds += 5
    assert playout.sender_time() == pytest.approx(1003.09 - delay_s, abs=0.003), "nobody pulled"
    playout.close()
    playout.close()
    playout.put(ReceivedPacket(150, 150 * 960, said.payload(150), clock.seconds, None))
    assert not np.frombuffer(mixer.pull(), np.int16).any()
    assert playout.sender_time() is None
    assert playout.lag_s() is None
    assert playout.level == 0


def test_a_speaker_that_does_not_pull_lets_nothing_pile_up(said: Speech) -> None:
    mixer, clock = Mixer(), HandClock(50.0)
    playout = AudioPlayout(mixer, CountingControl(), clock=clock)
    for number in range(1000):
        clock.seconds += 0.02
        playout.put(ReceivedPacket(number, number * 960, said.payload(number), clock.seconds, None))
    for _ in range(20):
        mixer.pull()
        clock.seconds += 0.01
    figures = playout.figures()
    assert figures["buffered_ms"] <= 700
    assert figures["packets_skipped"] >= 900
    assert figures["delay_ms"] <= 600
    assert playout.lag_s() is None, "no sender report came"


def test_a_codec_that_gives_up_is_silence_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    class Dead(NumberedTone):
        def packet_samples(self, packet: bytes) -> int:
            raise OpusError("libopus is gone")

    mixer = Mixer()
    playout = AudioPlayout(mixer, CountingControl(), clock=HandClock(50.0), decoder=Dead())
    for number in range(5):
        playout.put(received(number, 50.0))
        assert not np.frombuffer(mixer.pull(), np.int16).any()
    assert [record.getMessage() for record in caplog.records] == [
        "a remote voice cannot be decoded: libopus is gone"
    ]


def test_sound_left_out_by_dtx_is_silence() -> None:
    encoder = OpusEncoder(OpusSettings(dtx=True))
    spoken = np.concatenate((speech(1.0).original, np.zeros(RATE_HZ, np.int16)))
    mixer, clock = Mixer(), HandClock(50.0)
    playout = AudioPlayout(mixer, CountingControl(), clock=clock)
    sequence, sent, loud = 0, 0, []
    for number in range(300):
        packet = encoder.encode(spoken.reshape(-1, 960)[number % 100])
        if packet is not None:
            playout.put(ReceivedPacket(sequence, number * 960, bytes(packet), clock.seconds, None))
            sequence += 1
        sent += packet is not None
        for _ in range(2):
            loud.append(int(np.abs(np.frombuffer(mixer.pull(), np.int16).astype(int)).max()))
            clock.seconds += 0.01
    assert sent < 250
    figures = playout.figures()
    assert figures["packets_missed"] == figures["packets_skipped"] == 0
    assert max(loud[170:200]) < 200
    assert max(loud[210:300]) > 3000
    assert figures["delay_ms"] < 80
