# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes: what works is accepted, everything else is refused with a reason; a hang or a crash is one."""

import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest

from callagent.media.encoders import EncoderSettings
from callagent.media.encoders.probe import LEAST_PSNR_DB, try_encoder
from callagent.media.encoders.probing import probe
from callagent.media.encoders.registry import KINDS, EncoderKind
from callagent.ports import Codec
from tests.unit.media.faulty_encoder import Fault, FaultyEncoder, Plan

SIZE = EncoderSettings(320, 240, 30, 400_000)


@pytest.mark.parametrize("name", ["libx264", "libvpx"])
def test_software_is_accepted_with_its_figures(name: str) -> None:
    verdict = try_encoder(KINDS[name], SIZE)
    assert verdict.ok, verdict.reason
    assert verdict.psnr_db > LEAST_PSNR_DB
    assert verdict.fps > 0
    assert 0 < verdict.bps < 4 * SIZE.bitrate_bps


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("exception", "fake failed"),
        ("wrong size", "160x120|cannot be decoded|pictures are not"),
        ("no start code", "start code"),
        ("no parameter sets", "parameter sets"),
        ("all keys", "nothing but key frames"),
        ("silent", "came out|gave nothing"),
        ("deaf", "key frame on demand|made no key frame"),
        ("cannot be opened", "cannot be opened"),
    ],
)
def test_a_faulty_one_is_refused_with_the_reason(fault: Fault, words: str) -> None:
    plan = Plan(fault, at=3)

    def make(settings: EncoderSettings, options: Mapping[str, str]) -> FaultyEncoder:
        return FaultyEncoder(plan, settings)

    verdict = try_encoder(EncoderKind("fake", Codec.H264, True, make), SIZE, 20)
    assert not verdict.ok
    assert any(word in verdict.reason for word in words.split("|")), verdict.reason


def test_a_pipeline_is_accepted() -> None:
    plan = Plan(behind=2)

    def make(settings: EncoderSettings, options: Mapping[str, str]) -> FaultyEncoder:
        return FaultyEncoder(plan, settings)

    verdict = try_encoder(EncoderKind("fake", Codec.H264, True, make), SIZE)
    assert verdict.ok, verdict.reason


def test_what_is_not_there_is_not_tried() -> None:
    def make(settings: EncoderSettings, options: Mapping[str, str]) -> FaultyEncoder:
        raise AssertionError

    verdict = try_encoder(EncoderKind("fake", Codec.H264, True, make, missing=lambda: "not built in"), SIZE)
    assert (verdict.ok, verdict.reason) == (False, "not built in")


def test_a_process_of_its_own_tries_them_in_order_until_one_is_good() -> None:
    (verdict,) = probe(["libvpx", "libx264"], SIZE, enough=lambda verdict: verdict.ok)
    assert verdict.name == "libvpx"
    assert verdict.ok, verdict.reason


def test_one_that_hangs_or_crashes_costs_only_itself(tmp_path: Path) -> None:
    program = tmp_path / "probe.py"
    program.write_text(
        textwrap.dedent("""
            import os, sys, time
            from callagent.media.encoders import probe

            def try_encoder(kind, settings, pictures):
                if kind.name == "h264_qsv":
                    print("libraries print what they like", flush=True)
                    time.sleep(600)
                if kind.name == "h264_amf":
                    os.abort()
                return probe.Verdict(kind.name, kind.name == "libx264", "no device")

            probe.try_encoder = try_encoder
            probe.main(sys.argv[1:])
        """)
    )
    names = ["h264_nvenc", "h264_qsv", "h264_amf", "libx264"]
    verdicts = probe(names, SIZE, limit_s=1.0, command=[sys.executable, str(program)])
    assert [verdict.name for verdict in verdicts] == names
    assert [verdict.ok for verdict in verdicts] == [False, False, False, True]
    assert [verdict.reason for verdict in verdicts[:3]] == [
        "no device",
        "it gave nothing within 1 s",
        "the probe crashed",
    ]
