# SPDX-License-Identifier: GPL-3.0-or-later
"""Opus by libopus: what goes in comes out, what is lost is corrected or concealed."""

import contextlib
from fractions import Fraction

import av
import numpy as np
import pytest
from av.audio.codeccontext import AudioCodecContext
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.speech import voice
from callagent.media.expected_loss import MAX_PERCENT, START_PERCENT, ExpectedLoss
from callagent.media.opus import (
    DEFAULT_SETTINGS,
    OpusDecoder,
    OpusEncoder,
    OpusError,
    OpusSettings,
    library,
)
from callagent.media.sound import Samples
from tests.unit.media.pictures import decode_opus

PACKET_SAMPLES = DEFAULT_SETTINGS.packet_samples


def encode(encoder: OpusEncoder, samples: Samples) -> list[bytes]:
    """All packets; those left out by DTX are empty."""
    pieces = samples.reshape(-1, PACKET_SAMPLES)
    return [b"" if packet is None else bytes(packet) for packet in map(encoder.encode, pieces)]


def energy(samples: Samples) -> float:
    return float(np.mean(samples.astype(np.float64) ** 2))


def test_packets_decode_to_the_same_tone_with_ffmpeg_and_with_ours() -> None:
    encoder = OpusEncoder()
    time = np.arange(48_000) / 48_000
    packets = encode(encoder, (8000 * np.sin(2 * np.pi * 700 * time)).astype(np.int16))
    assert len(packets) == 50
    assert 20_000 < sum(map(len, packets)) * 8 < 60_000
    # RFC 6716, 3.1: configuration in the upper five bits, stereo flag, one frame of 20 ms per packet.
    assert all(packet[0] & 0b111 == 0 for packet in packets)
    decoder = OpusDecoder()
    assert {decoder.packet_samples(packet) for packet in packets} == {960}
    ours = np.concatenate([decoder.decode(packet) for packet in packets])
    theirs = decode_opus([memoryview(packet) for packet in packets])
    assert len(ours) == 48_000
    for sound in (ours[-24_000:].astype(float), theirs[-24_000:]):
        spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
        assert abs(int(spectrum.argmax()) * 2 - 700) <= 4


def test_a_lost_packet_is_corrected_by_the_next_one() -> None:
    packets = encode(OpusEncoder(expected_loss_percent=20), voice(3.0))
    whole, corrected, concealed = OpusDecoder(), OpusDecoder(), OpusDecoder()
    errors: dict[str, list[float]] = {"fec": [], "plc": []}
    for number, packet in enumerate(packets[:-1]):
        clean = whole.decode(packet).astype(float)
        if number % 10 == 9 and corrected.has_fec(packets[number + 1]):
            fec = corrected.decode_fec(packets[number + 1], PACKET_SAMPLES)
            plc = concealed.conceal(PACKET_SAMPLES)
            errors["fec"].append(float(np.mean((fec - clean) ** 2) / np.mean(clean**2)))
            errors["plc"].append(float(np.mean((plc - clean) ** 2) / np.mean(clean**2)))
        else:
            corrected.decode(packet)
            concealed.decode(packet)
    assert len(errors["fec"]) >= 8
    assert np.median(errors["fec"]) < 0.5 * np.median(errors["plc"])


def test_the_expected_loss_is_followed_while_running() -> None:
    encoder, decoder = OpusEncoder(expected_loss_percent=0), OpusDecoder()
    sound = voice(1.0)
    shares = []
    for percent in (0, 20, 0):
        encoder.expected_loss_percent = percent
        packets = encode(encoder, sound)[2:]
        shares.append(sum(map(decoder.has_fec, packets)) / len(packets))
    assert shares[0] == shares[2] == 0
    assert shares[1] > 0.6


def test_with_dtx_silence_sends_almost_nothing() -> None:
    quiet = np.zeros(48_000 * 2, np.int16)
    sent = [packet for packet in encode(OpusEncoder(OpusSettings(dtx=True)), quiet) if packet]
    # Some packets before it believes the silence, then one every 400 ms.
    assert len(sent) < 30
    assert all(encode(OpusEncoder(), quiet))


def test_concealment_fades_and_a_reset_forgets() -> None:
    decoder = OpusDecoder()
    for packet in encode(OpusEncoder(), voice(0.5)):
        heard = decoder.decode(packet)
    first = decoder.conceal(480)
    assert energy(first) > 0.1 * energy(heard)
    later = [decoder.conceal(480) for _ in range(60)][-1]
    assert energy(later) < 0.01 * energy(first)
    decoder.reset()
    assert not decoder.conceal(480).any()


def test_stereo_and_long_packets_become_mono() -> None:
    context = av.CodecContext.create("libopus", "w")
    assert isinstance(context, AudioCodecContext)
    context.sample_rate, context.layout, context.format = 48_000, "stereo", "s16"
    context.time_base = Fraction(1, 48_000)
    context.options = {"frame_duration": "60", "application": "audio"}
    tone = 8000 * np.sin(2 * np.pi * 500 * np.arange(2880 * 20) / 48_000)
    frame = av.AudioFrame.from_ndarray(np.repeat(tone.astype(np.int16), 2)[None, :], "s16", "stereo")
    frame.sample_rate, frame.pts, frame.time_base = 48_000, 0, Fraction(1, 48_000)
    decoder = OpusDecoder()
    packets = [bytes(packet) for packet in (*context.encode(frame), *context.encode(None))]
    assert {decoder.packet_samples(packet) for packet in packets} == {2880}
    sound = np.concatenate([decoder.decode(packet) for packet in packets])[9600:48_000].astype(float)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    assert abs(int(spectrum.argmax()) * 48_000 / len(sound) - 500) <= 3
    assert 7000 < np.abs(sound).max() < 9500


@given(packet=st.binary(max_size=200))
@settings(max_examples=300)
def test_any_bytes_are_a_packet_or_a_typed_error(packet: bytes) -> None:
    decoder = OpusDecoder()
    decoder.has_fec(packet)
    length = decoder.packet_samples(packet)
    assert 0 <= length <= 5760
    with contextlib.suppress(OpusError):
        assert len(decoder.decode(packet)) == length
    assert len(decoder.conceal(480)) == 480


def test_a_closed_codec_and_a_wrong_length_are_typed_errors() -> None:
    encoder, decoder = OpusEncoder(), OpusDecoder()
    with pytest.raises(OpusError, match="960"):
        encoder.encode(np.zeros(100, np.int16))
    with pytest.raises(OpusError, match="expect this loss"):
        encoder.expected_loss_percent = 101
    for codec in (encoder, decoder):
        codec.close()
        codec.close()
    with pytest.raises(OpusError, match="closed"):
        encoder.encode(np.zeros(960, np.int16))
    with pytest.raises(OpusError, match="closed"):
        encoder.expected_loss_percent = 3
    with pytest.raises(OpusError, match="closed"):
        decoder.conceal(480)


def test_a_missing_library_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "_loaded", None)
    monkeypatch.setattr(library, "SONAME", "libopus-of-nobody.so.0")
    with pytest.raises(OpusError, match="apt-get install libopus0"):
        OpusEncoder()


def test_the_worst_peer_decides_what_loss_is_expected() -> None:
    loss = ExpectedLoss()
    assert loss.percent == START_PERCENT
    for _ in range(60):
        loss.report("good", 0.0)
    assert loss.percent == 0
    for _ in range(20):
        loss.report("bad", 0.15)
    assert loss.percent == 15
    loss.forget("bad")
    loss.forget("bad")
    assert loss.percent == 0
    loss.report("bad", 1.0)
    assert loss.percent == MAX_PERCENT


@given(reports=st.lists(st.tuples(st.sampled_from("abc"), st.floats(-1, 2)), max_size=50))
def test_the_expected_loss_is_bounded_and_rises_faster_than_it_falls(
    reports: list[tuple[str, float]],
) -> None:
    loss = ExpectedLoss()
    for peer, fraction in reports:
        loss.report(peer, fraction)
        assert 0 <= loss.percent <= MAX_PERCENT
    up = ExpectedLoss()
    up.report("a", 0.3)
    down = ExpectedLoss()
    down.report("a", 0.0)
    assert up.percent - START_PERCENT > START_PERCENT - down.percent > 0
