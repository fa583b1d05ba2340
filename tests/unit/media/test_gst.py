# SPDX-License-Identifier: GPL-3.0-or-later
"""GStreamer's encoders: x264enc for real where Debian's packages are, a clear reason where not."""

import sys

import pytest

from callagent.media.encoders import EncoderError, EncoderSettings, gi_access
from callagent.media.encoders.gi_access import GStreamerMissing, gstreamer
from callagent.media.encoders.gst import GstEncoder, missing
from callagent.media.encoders.gst_elements import ELEMENTS
from callagent.media.encoders.probe import try_encoder
from callagent.media.encoders.registry import KINDS
from callagent.media.pixels import to_av
from callagent.ports import Codec
from tests.unit.media.pictures import VideoReader, picture

SIZE = EncoderSettings(426, 240, 30, 400_000)
"""A width whose rows GStreamer pads."""


def test_x264enc_passes_the_probe() -> None:
    """Part of what is tested: .ci/packages installs it."""
    assert missing("x264enc") == ""
    verdict = try_encoder(KINDS["x264enc"], SIZE)
    assert verdict.ok, verdict.reason


def test_pictures_come_out_with_their_own_times_and_the_rate_is_changed_in_place() -> None:
    encoder, reader, sizes = GstEncoder("x264enc", SIZE), VideoReader(Codec.H264), []
    counters, times = [], []
    for number in range(90):
        if number == 45:
            encoder.target_bps = 100_000
        frame = to_av(picture(number, 426, 240))
        frame.pts = 7_000 + number * 3000
        (payload,) = encoder.encode(frame, force_key=number == 20)
        assert payload.key is (number in (0, 20))
        times.append(payload.pts)
        sizes.append(len(payload.payload))
        counters += [code.counter for code in reader.read(payload.payload) if code is not None]
    encoder.close()
    encoder.close()
    assert counters == list(range(90))
    assert times == [7_000 + number * 3000 for number in range(90)]
    assert sum(sizes[60:]) < 0.6 * sum(sizes[30:45]) * 2
    with pytest.raises(EncoderError, match="closed"):
        encoder.encode(frame)


def test_an_element_that_cannot_run_here_says_why() -> None:
    for name in set(ELEMENTS) - {"x264enc"}:
        if missing(name):
            with pytest.raises(EncoderError, match=name.removesuffix("enc")[:4]):
                GstEncoder(name, SIZE)
    with pytest.raises(EncoderError, match=r"cannot be opened|does not start"):
        GstEncoder("x264enc", EncoderSettings(0, 0, 30, 400_000)).close()


def test_without_pygobject_there_is_a_sentence_for_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(sys.path)
    monkeypatch.setattr(gi_access, "DEBIAN_PACKAGES", "/nonexistent")
    monkeypatch.setattr(gi_access, "_found", None)
    with monkeypatch.context() as patch:
        for name in [name for name in sys.modules if name == "gi" or name.startswith("gi.")]:
            patch.delitem(sys.modules, name)
        with pytest.raises(GStreamerMissing, match="python3-gi"):
            gstreamer()
        assert "apt-get install" in missing("x264enc")
    assert set(sys.path) == before, "Debian's other packages stay out of sight"
