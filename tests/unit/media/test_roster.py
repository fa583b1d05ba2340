# SPDX-License-Identifier: GPL-3.0-or-later
"""Which encoder is opened: order, probes, and pauses that grow."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from callagent.media.encoders import EncoderError, EncoderSettings, VideoEncoder, X264Encoder
from callagent.media.encoders.probe import Verdict
from callagent.media.encoders.registry import DEFAULT_ORDER, KINDS, EncoderKind
from callagent.media.encoders.roster import EncoderChoice, EncoderRoster
from callagent.media.encoders.verdicts import REFUSED_S, Verdicts
from callagent.ports import Codec
from tests.clock import HandClock

SIZE = EncoderSettings(320, 240, 30, 400_000)
LARGE = EncoderSettings(1280, 720, 30, 1_500_000)


class Found:
    """What is known of encoders, and what was asked."""

    def __init__(self, **verdicts: bool) -> None:
        self.verdicts = verdicts
        self.asked: list[tuple[Sequence[str], EncoderSettings]] = []

    def of(self, name: str, settings: EncoderSettings) -> Verdict | None:
        return Verdict(name, self.verdicts[name], "broken glass") if name in self.verdicts else None

    def want(self, names: Sequence[str], settings: EncoderSettings) -> None:
        if names:
            self.asked.append((tuple(names), settings))


class Bench:
    """Kinds that are made of libx264; those in `broken` cannot be opened."""

    def __init__(self, *hardware: str) -> None:
        self.broken: set[str] = set()
        self.options: dict[str, Mapping[str, str]] = {}
        self.kinds = {name: EncoderKind(name, Codec.H264, True, self._maker(name)) for name in hardware}
        self.kinds["soft"] = EncoderKind("soft", Codec.H264, False, self._maker("soft"), fallback=True)

    def _maker(self, name: str):  # type: ignore[no-untyped-def]
        def make(settings: EncoderSettings, options: Mapping[str, str]) -> VideoEncoder:
            self.options[name] = options
            if name in self.broken:
                raise EncoderError(f"{name} is broken")
            return X264Encoder(settings)

        return make


def test_hardware_is_used_only_after_its_probe_and_software_is_always_there() -> None:
    bench, found = Bench("first", "second"), Found()
    order = [EncoderChoice("camera"), EncoderChoice("first", {"speed": "9"}), EncoderChoice("second")]
    roster = EncoderRoster(order, known=found, kinds=bench.kinds)
    assert roster.takes_camera
    assert roster.best(Codec.H264, SIZE) == "soft"
    roster.open(Codec.H264, SIZE).close()
    assert found.asked == [(("first", "second"), SIZE)]
    assert roster.refusals(Codec.H264, SIZE)["first"] == "it has not been tried yet at this size"
    found.verdicts = {"first": False, "second": True}
    assert roster.best(Codec.H264, SIZE) == "second"
    assert roster.refusals(Codec.H264, SIZE) == {"first": "broken glass"}
    found.verdicts["first"] = True
    roster.open(Codec.H264, SIZE).close()
    assert bench.options["first"] == {"speed": "9"}
    assert not EncoderRoster((), kinds=bench.kinds).takes_camera


def test_one_that_fails_is_avoided_longer_each_time_and_forgiven_in_the_end() -> None:
    bench, clock = Bench("first"), HandClock()
    roster = EncoderRoster([EncoderChoice("first")], known=Found(first=True), kinds=bench.kinds, clock=clock)
    pauses = []
    for _ in range(10):
        roster.failed("first", "it broke")
        began = clock.seconds
        while roster.best(Codec.H264, SIZE) != "first":
            clock.seconds += 1.0
        pauses.append(clock.seconds - began)
    assert pauses[:4] == pytest.approx([30, 60, 120, 240], abs=1)
    assert pauses == sorted(pauses)
    assert max(pauses) <= 3601
    assert roster.failures() == {"first": "10x, it broke"}
    clock.seconds += 40_000
    roster.failed("first", "it broke")
    clock.seconds += 31
    assert roster.best(Codec.H264, SIZE) == "first"


def test_when_none_opens_it_says_so_and_when_to_try_again() -> None:
    bench, clock = Bench("first"), HandClock()
    bench.broken = {"first", "soft"}
    roster = EncoderRoster([EncoderChoice("first")], known=Found(first=True), kinds=bench.kinds, clock=clock)
    with pytest.raises(EncoderError, match="no encoder for H264"):
        roster.open(Codec.H264, SIZE)
    assert 0 < roster.wait_s(Codec.H264) <= 0.5
    assert set(roster.failures()) == {"first", "soft"}
    bench.broken = set()
    clock.seconds += roster.wait_s(Codec.H264)
    roster.open(Codec.H264, SIZE).close()


def test_the_usual_order_names_what_is_known_and_ends_with_software() -> None:
    assert set(DEFAULT_ORDER) - {"camera"} <= set(KINDS)
    assert DEFAULT_ORDER[-2:] == ("libx264", "libvpx")
    roster = EncoderRoster()
    assert roster.best(Codec.H264, SIZE) == "libx264"
    assert roster.best(Codec.VP8, SIZE) == "libvpx"
    only_vp8 = EncoderRoster([EncoderChoice("libvpx")])
    assert only_vp8.best(Codec.H264, SIZE) == "libx264"
    assert EncoderRoster([EncoderChoice("x264enc")]).best(Codec.H264, SIZE) == "x264enc"


class Day:
    """Wall clock of a test."""

    def __init__(self) -> None:
        self.time = 1e9

    def __call__(self) -> float:
        return self.time


def test_results_of_probes_are_kept_for_this_very_driver(tmp_path: Path) -> None:
    device, day = ["driver 1"], Day()
    kinds = {
        name: EncoderKind(name, Codec.H264, True, Bench()._maker(name), identity=lambda: device[0])
        for name in ("good", "bad")
    }
    probed: list[Sequence[str]] = []

    def prober(names: Sequence[str], settings: EncoderSettings) -> list[Verdict]:
        probed.append(names)
        return [Verdict(name, name == "good", "" if name == "good" else "no") for name in names]

    file = tmp_path / "cache" / "encoders.json"

    def fresh() -> Verdicts:
        return Verdicts(file, prober=prober, kinds=kinds, now=day)

    verdicts, told = fresh(), threading.Event()
    verdicts.on_change = told.set
    assert verdicts.of("good", SIZE) is None
    verdicts.want(["bad", "good"], SIZE)
    verdicts.want(["bad", "good"], SIZE)
    assert told.wait(5)
    assert verdicts.wait_done(5)
    assert probed == [("bad", "good")], "asked once"
    for known in (verdicts, fresh()):
        good, bad = known.of("good", SIZE), known.of("bad", SIZE)
        assert good is not None
        assert good.ok
        assert bad is not None
        assert bad.reason == "no"
        assert known.of("good", LARGE) is None
    day.time += REFUSED_S + 1
    assert fresh().of("bad", SIZE) is None, "it may have been in use"
    assert fresh().of("good", SIZE) is not None
    device[0] = "driver 2"
    assert fresh().of("good", SIZE) is None
    file.write_text('{"good": 1}')
    assert fresh().of("good", SIZE) is None
