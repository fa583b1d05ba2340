# SPDX-License-Identifier: GPL-3.0-or-later
"""Software encoders: decodable streams, key frames on demand, a rate that is followed."""

import dataclasses

import av
import numpy as np
import pytest

from callagent.media.encoders import EncoderSettings, VideoEncoder, Vp8Encoder, X264Encoder, x264
from callagent.media.encoders.base import EncoderError
from callagent.media.encoders.ffmpeg import REOPEN_INTERVAL_S
from callagent.media.encoders.ffmpeg_hardware import FfmpegHardwareEncoder
from callagent.media.pixels import to_av
from callagent.ports import Codec
from tests.clock import HandClock
from tests.unit.media.pictures import VideoReader, picture

SETTINGS = EncoderSettings(320, 240, 30, 600_000)


def encoder_for(codec: Codec, clock: HandClock, settings: EncoderSettings = SETTINGS) -> VideoEncoder:
    kind = X264Encoder if codec is Codec.H264 else Vp8Encoder
    return kind(settings, clock=clock)


def feed(encoder: VideoEncoder, counter: int, force_key: bool = False) -> tuple[bool, memoryview]:
    frame = to_av(picture(counter))
    frame.pts = counter * 3000
    (payload,) = encoder.encode(frame, force_key)
    return payload.key, payload.payload


@pytest.mark.parametrize("codec", [Codec.H264, Codec.VP8])
def test_every_picture_comes_out_at_once_and_decodes_in_order(codec: Codec) -> None:
    encoder, reader = encoder_for(codec, HandClock()), VideoReader(codec)
    seen = []
    for counter in range(60):
        key, payload = feed(encoder, counter)
        assert key is (counter == 0), "key frames on demand only"
        seen += reader.read(payload)
    assert [code.counter for code in seen if code] == list(range(60))
    encoder.close()
    encoder.close()


@pytest.mark.parametrize("codec", [Codec.H264, Codec.VP8])
def test_a_forced_key_frame_is_that_very_picture_and_starts_a_decoder(codec: Codec) -> None:
    encoder = encoder_for(codec, HandClock())
    for counter in range(10):
        feed(encoder, counter)
    key, payload = feed(encoder, 10, force_key=True)
    assert key
    late = VideoReader(codec)
    codes = late.read(payload)
    codes += late.read(feed(encoder, 11)[1])
    assert [code.counter for code in codes if code] == [10, 11]


def nal_types(access_unit: memoryview) -> list[int]:
    data = bytes(access_unit)
    starts = [i for i in range(len(data) - 3) if data[i : i + 3] == b"\0\0\1"]
    return [data[start + 3] & 0x1F for start in starts]


def test_h264_is_constrained_baseline_with_parameter_sets_at_every_key_frame() -> None:
    encoder = encoder_for(Codec.H264, HandClock())
    first = feed(encoder, 0)[1]
    later = feed(encoder, 1, force_key=True)[1]
    for unit in (first, later):
        assert {5, 7, 8} <= set(nal_types(unit)), "IDR, SPS, PPS"
    assert set(nal_types(feed(encoder, 2)[1])) == {1}
    data = bytes(first)
    sps = data.index(b"\0\0\1\x67") + 4
    assert data[sps] == 66
    assert data[sps + 1] & 0x40, "constraint_set1_flag: constrained baseline"


@pytest.mark.parametrize("codec", [Codec.H264, Codec.VP8])
def test_the_rate_is_followed(codec: Codec) -> None:
    clock = HandClock()
    encoder = encoder_for(codec, clock)
    rates: list[float] = []
    for target in (600_000, 200_000, 500_000):
        encoder.target_bps = target
        clock.seconds += REOPEN_INTERVAL_S
        sizes = [len(feed(encoder, len(rates) * 120 + number)[1]) for number in range(120)]
        # The first second is for finding the way to the new rate.
        rates.append(sum(sizes[30:]) * 8 / 3)
    assert 400_000 < rates[0] < 800_000
    assert 120_000 < rates[1] < 300_000
    assert 320_000 < rates[2] < 700_000


@pytest.mark.parametrize("codec", [Codec.H264, Codec.VP8])
def test_the_rate_begins_where_it_is_told(codec: Codec) -> None:
    start = dataclasses.replace(SETTINGS, start_bps=150_000)
    encoder = encoder_for(codec, HandClock(), start)
    assert encoder.settings == SETTINGS, "no reason to open another one"
    assert encoder.target_bps == 150_000
    rate = sum(len(feed(encoder, number)[1]) for number in range(60)) * 8 / 2
    assert rate < 1.5 * 150_000


@pytest.mark.parametrize("start_bps", [100_000, 200_000, 600_000])
def test_the_first_h264_picture_takes_no_more_than_a_fifth_of_a_second(start_bps: int) -> None:
    encoder = X264Encoder(dataclasses.replace(SETTINGS, start_bps=start_bps))
    frame = av.VideoFrame.from_ndarray(
        np.random.default_rng(1).normal(128, 20, (360, 320)).clip(0, 255).astype(np.uint8), "yuv420p"
    )
    frame.pts = 0
    (payload,) = encoder.encode(frame)
    assert len(payload.payload) * 8 < 0.2 * start_bps


class Device(FfmpegHardwareEncoder):
    """An encoder of hardware whose rate is set as it is opened, in software."""

    library = "libx264"

    def _options(self, bitrate_bps: int) -> dict[str, str]:
        return {"tune": "zerolatency", "profile": "baseline"}


def test_a_device_that_cannot_change_its_rate_is_opened_once_in_an_ordinary_call() -> None:
    clock = HandClock()
    encoder = Device(dataclasses.replace(SETTINGS, start_bps=400_000), clock=clock)
    feed(encoder, 0)
    for counter, target in enumerate((500_000, 600_000, 490_000), 1):
        encoder.target_bps = target
        clock.seconds += REOPEN_INTERVAL_S
        feed(encoder, counter)
    assert encoder.opened == 1
    encoder.target_bps = 400_000
    clock.seconds += REOPEN_INTERVAL_S
    feed(encoder, 5)
    assert encoder.opened == 2, "the way carries no more"


def test_h264_at_a_far_lower_rate_than_at_first_is_opened_for_that_one() -> None:
    clock = HandClock()
    encoder = X264Encoder(SETTINGS, clock=clock)
    feed(encoder, 0)
    encoder.target_bps = 300_000
    assert not feed(encoder, 1)[0], "not at once: it costs a key frame"
    clock.seconds += REOPEN_INTERVAL_S
    assert feed(encoder, 2)[0]
    for counter, target in enumerate((330_000, 370_000, 230_000, 379_000), 3):
        clock.seconds += REOPEN_INTERVAL_S
        encoder.target_bps = target
        assert not feed(encoder, counter)[0], "near enough"
    clock.seconds += REOPEN_INTERVAL_S
    encoder.target_bps = 390_000
    assert feed(encoder, 9)[0]


def test_h264_follows_up_and_down_in_the_running_codec() -> None:
    """x264 changes the rate only of a codec whose VBV was opened for no more than its rate."""
    encoder = X264Encoder(dataclasses.replace(SETTINGS, start_bps=400_000), clock=HandClock())
    rates: list[float] = []
    for target in (400_000, 600_000, 400_000):
        encoder.target_bps = target
        sizes = [len(feed(encoder, len(rates) * 90 + number)[1]) for number in range(90)]
        rates.append(sum(sizes[30:]) * 8 / 2)
    assert encoder.opened == 1
    assert rates[0] < 1.1 * 400_000
    assert rates[1] > 1.2 * rates[0]
    assert rates[2] < 1.1 * 400_000


def test_h264_follows_a_small_change_without_a_key_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    # On a machine that is busy otherwise a faster preset is chosen, and the codec opened anew.
    monkeypatch.setattr(x264, "_BUSY", 1e9)
    clock = HandClock()
    encoder = X264Encoder(SETTINGS, clock=clock)
    for counter in range(30):
        feed(encoder, counter)
        clock.seconds += 1
        encoder.target_bps = 600_000 - counter * 5_000
    assert encoder.opened == 1


def test_vp8_is_not_opened_anew_for_every_wish() -> None:
    clock = HandClock()
    encoder = Vp8Encoder(SETTINGS, clock=clock)
    for counter in range(60):
        encoder.target_bps = 600_000 if counter % 2 else 200_000
        feed(encoder, counter)
        clock.seconds += 1 / 30
    assert encoder.opened == 1
    clock.seconds += REOPEN_INTERVAL_S
    encoder.target_bps = 200_000
    key, _ = feed(encoder, 60)
    assert key
    assert encoder.opened == 2
    encoder.target_bps = 210_000
    clock.seconds += REOPEN_INTERVAL_S
    feed(encoder, 61)
    assert encoder.opened == 2


def test_vp8_comes_to_the_whole_rate() -> None:
    clock = HandClock()
    encoder = Vp8Encoder(dataclasses.replace(SETTINGS, start_bps=400_000), clock=clock)
    for counter, target in enumerate((400_000, 530_000, 600_000, 540_000)):
        encoder.target_bps = target
        feed(encoder, counter)
        clock.seconds += REOPEN_INTERVAL_S
    assert encoder.opened == 2, "not a third time for the last tenth"


def test_the_target_stays_within_the_preset() -> None:
    encoder = X264Encoder(SETTINGS)
    encoder.target_bps = 10_000_000
    assert encoder.target_bps == SETTINGS.bitrate_bps
    encoder.target_bps = 1
    assert encoder.target_bps == 50_000


def test_x264_takes_a_faster_preset_when_it_cannot_keep_up() -> None:
    clock = HandClock()
    # At so many pictures a second every encoder takes too much of a frame's time.
    encoder = X264Encoder(EncoderSettings(320, 240, 10_000, 600_000), clock=clock)
    assert encoder.preset == "veryfast"
    for counter in range(60):
        clock.seconds += 0.2
        feed(encoder, counter)
    assert encoder.preset == "ultrafast"
    assert encoder.opened == 3


def test_a_codec_that_cannot_be_opened_is_a_typed_error() -> None:
    with pytest.raises(EncoderError, match="libx264"):
        X264Encoder(EncoderSettings(0, 0, 30, 600_000))
