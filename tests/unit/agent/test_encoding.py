# SPDX-License-Identifier: GPL-3.0-or-later
"""From configuration and hardware profile to encoders; what doctor says of them."""

from pathlib import Path
from typing import Any

import pytest

from callagent.agent.doctor import State
from callagent.agent.doctor.encoders import encoder_checks
from callagent.agent.encoding import camera_encodes, encoder_order, machine_encoders, results_file
from callagent.config import AgentConfig, parse_agent_config
from callagent.config.profiles import load_profiles
from callagent.media.encoders.base import EncoderSettings
from callagent.media.encoders.probe import Verdict
from callagent.media.encoders.registry import DEFAULT_ORDER, KINDS
from callagent.media.encoders.roster import EncoderRoster
from callagent.ports import Codec


def config(**sections: Any) -> AgentConfig:
    return parse_agent_config({"identity": {"device_key_file": "/k"}} | sections)


def test_the_configuration_wins_over_the_profile_and_the_profile_over_the_usual() -> None:
    board = next(each.profile for each in load_profiles() if each.profile.name == "raspberry-pi-4")
    assert tuple(each.name for each in encoder_order(config(), None)) == DEFAULT_ORDER
    assert [each.name for each in encoder_order(config(), board)] == [
        "camera",
        "v4l2h264enc",
        "h264_v4l2m2m",
        "libx264",
        "libvpx",
    ]
    own = config(video={"encoders": [{"name": "nvenc", "options": {"rc": "vbr", "aud": True}}, "libvpx"]})
    first, second = encoder_order(own, board)
    assert (first.name, first.options, second.name) == ("h264_nvenc", {"rc": "vbr", "aud": "1"}, "libvpx")


@pytest.mark.parametrize("profile", load_profiles(), ids=lambda each: each.profile.name)
def test_every_profile_names_encoders_that_exist(profile: Any, tmp_path: Path) -> None:
    roster = machine_encoders(config(), profile.profile, tmp_path / "encoders.json")
    assert roster.best(Codec.VP8, EncoderSettings(640, 480, 15, 900_000)) == "libvpx"


@pytest.mark.parametrize(
    ("sections", "coded"),
    [
        ({}, True),
        ({"video": {"passthrough": "never"}}, False),
        ({"video": {"encoders": ["libx264"]}}, False),
        ({"video": {"encoders": ["camera", "libx264"]}}, True),
        ({"video": {"codecs": ["VP8", "H264"]}}, False),
        ({"camera": {"rotation": 90}}, False),
        ({"camera": {"fps": 30}}, False),
        ({"camera": {"width": 1280, "height": 720}}, False),
        ({"camera": {"width": 1280, "height": 720}, "video": {"resolution": "1280x720"}}, True),
        ({"video": {"orientation": "portrait"}}, False),
    ],
)
def test_a_camera_encodes_itself_only_where_it_can_go_out_as_it_is(
    sections: dict[str, Any], coded: bool
) -> None:
    chosen = config(**sections)
    assert camera_encodes(chosen, EncoderRoster(encoder_order(chosen, None))) is coded


def test_results_are_kept_where_the_unit_or_the_user_keeps_such_things() -> None:
    assert results_file({"CACHE_DIRECTORY": "/var/cache/callagent"}) == Path(
        "/var/cache/callagent/encoders.json"
    )
    assert results_file({"XDG_CACHE_HOME": "/c"}) == Path("/c/callagent/encoders.json")
    assert results_file({}).parts[-3:] == (".cache", "callagent", "encoders.json")


def verdicts(*ok: str, small_only: str = "") -> dict[str, list[Verdict]]:
    found = {}
    for name in KINDS:
        works = name in (*ok, small_only)
        small = Verdict(name, works, "" if works else "no device", 100.0, 3.0)
        large = Verdict(name, False, "too large") if name == small_only else small
        found[name] = [small, large] if works else [small]
    return found


def test_doctor_says_what_works_and_what_has_never_been_run() -> None:
    checks = encoder_checks(verdicts("vah264enc", "libx264", "libvpx"), ["camera", "vah264enc", "libx264"])
    assert [check.text.split()[0] for check in checks[:2]] == ["vah264enc", "libx264"], (
        "the order in use first"
    )
    assert "untested" in checks[0].text
    assert "untested" not in checks[1].text
    assert {check.state for check in checks} == {State.OK}
    assert any("h264_nvenc     not used: no device" in check.text for check in checks)
    (small,) = [
        check
        for check in encoder_checks(verdicts("libx264", "libvpx", small_only="h264_qsv"), ["h264_qsv"])
        if check.state is State.WARNING
    ]
    assert "too large" in small.text
    problems = [check for check in encoder_checks(verdicts("libx264")) if check.state is State.PROBLEM]
    assert [check.text for check in problems] == ["no encoder for VP8 works: no call can send it"]
