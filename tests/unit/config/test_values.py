# SPDX-License-Identifier: GPL-3.0-or-later
"""What values mean: YAML's quirks, names and numbers, paths, and the small decisions of sections."""

from datetime import time
from pathlib import Path

import pytest

from callagent.config import (
    AgentConfig,
    ConfigError,
    load_agent_config,
    parse_agent_config,
    parse_server_config,
)

IDENTITY = "identity: {user: lobby, usersig: abc}\n"


def agent(text: str) -> AgentConfig:
    return parse_agent_config(IDENTITY + text)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("on", True), ("yes", True), ("true", True), ("off", False), ("no", False), ("False", False)],
)
def test_switches(written: str, meant: bool) -> None:
    assert agent(f"answer: {{camera: {written}}}").answer.camera is meant


def test_words_that_older_yaml_takes_for_something_else() -> None:
    config = agent("answer: {from: [no, on, 007, 1e3, 0x10], do_not_disturb: [{from: 22:00, to: 6:30}]}")
    assert config.answer.from_ == ["no", "on", "007", "1e3", "0x10"]
    assert (config.answer.do_not_disturb[0].from_, config.answer.do_not_disturb[0].to) == (
        time(22),
        time(6, 30),
    )
    assert parse_agent_config("identity: {user: 1001, usersig: x}").identity.user == "1001"


def test_sound_processing() -> None:
    assert agent("").audio.echo_cancellation == "auto"
    audio = agent("audio: {echo_cancellation: off, noise_suppression: strong, gain_control: no}").audio
    assert (audio.echo_cancellation, audio.noise_suppression) == ("off", "strong")
    assert (audio.gain_control, audio.high_pass) == (False, True)
    with pytest.raises(ConfigError, match="noise_suppression"):
        agent("audio: {noise_suppression: loud}")


@pytest.mark.parametrize(
    ("written", "bits"), [("0660", 0o660), ('"0600"', 0o600), ("660", 0o660), ("0777", 0o777)]
)
def test_file_mode(written: str, bits: int) -> None:
    assert agent(f"control: {{mode: {written}}}").control.mode_bits == bits


@pytest.mark.parametrize(
    ("written", "size", "bps"),
    [
        ("", (640, 480), 900_000),
        ("resolution: 640x360", (640, 360), 500_000),
        ("resolution: 960_720", (960, 720), 1_000_000),
        ("resolution: 720p", (1280, 720), 1_500_000),
        ("resolution: RESOLUTION_1080P", (1920, 1080), 2_000_000),
        ("resolution: 110", (960, 540), 850_000),
        ("resolution: 720p, bitrate_bps: 777000", (1280, 720), 777_000),
        ("width: 320, height: 240", (320, 240), 500_000),
        ("width: 1024, height: 768", (1024, 768), 1_500_000),
        ("width: 3840, height: 2160", (3840, 2160), 2_000_000),
    ],
)
def test_video_size_and_bitrate(written: str, size: tuple[int, int], bps: int) -> None:
    video = agent(f"video: {{{written}}}").video
    assert (video.size, video.target_bps) == (size, bps)


@pytest.mark.parametrize(
    ("written", "orientation"),
    [
        ("", "landscape"),
        ("orientation: portrait", "portrait"),
        ("orientation: auto", "auto"),
        ("orientation: 0", "landscape"),
        ("orientation: 1", "portrait"),
    ],
)
def test_video_orientation(written: str, orientation: str) -> None:
    assert agent(f"video: {{{written}}}").video.orientation == orientation


@pytest.mark.parametrize(
    ("written", "orientation"),
    [
        ("", "auto"),
        ("orientation: 0", "portrait"),
        ("orientation: 1", "landscape"),
        ("orientation: 2", "auto"),
        ("orientation: portrait", "portrait"),
    ],
)
def test_screen_orientation(written: str, orientation: str) -> None:
    assert agent(f"screen: {{{written}}}").screen.orientation == orientation


@pytest.mark.parametrize(
    "written", ["/dev/video7", "{path: /dev/video7}", "[{path: /dev/video7}]", "\n    - path: /dev/video7"]
)
def test_camera_by_path(written: str) -> None:
    device = agent(f"camera:\n  device: {written}").camera.device
    assert not isinstance(device, str)
    assert [selector.path for selector in device] == ["/dev/video7"]


def test_paths_start_from_the_folder_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text(
        "identity: {user: a, usersig_file: sig}\nservice: {ca: /etc/ca.pem}\n"
        "sound: {ringing: sounds/ring.wav, dialing: ''}\nspeaker: {virtual: {record: ~/x.wav}}\n"
    )
    config = load_agent_config(path)
    assert config.identity.usersig_file == tmp_path / "sig"
    assert config.service.ca == Path("/etc/ca.pem")
    assert config.sound.files == {"dialing": None, "ringing": tmp_path / "sounds/ring.wav", "hangup": None}
    assert config.speaker.virtual.record == Path.home() / "x.wav"


def test_answer_decisions() -> None:
    answer = agent(
        "answer:\n"
        "  mode: auto\n"
        "  from: [alice]\n"
        "  delay_s: 2\n"
        "  rules:\n"
        "    - {from: [bob], mode: auto, delay_s: 0}\n"
        "    - {from: [carol], mode: reject}\n"
        "    - {from: [bob], mode: reject}\n"
        "  do_not_disturb: [{from: 22:00, to: 06:00}, {from: 12:00, to: 13:00}]\n"
    ).answer
    noon, day, night = time(12, 30), time(15), time(5, 59)
    assert answer.decide("alice", day) == ("auto", 2)
    assert answer.decide("bob", day) == ("auto", 0)
    assert answer.decide("carol", day) == ("reject", 2)
    assert answer.decide("dave", day) == ("ring", 2)
    assert [answer.decide("bob", when)[0] for when in (noon, night, time(22), time(23, 59))] == [
        "do_not_disturb"
    ] * 4
    assert [answer.decide("alice", when)[0] for when in (time(6), time(13), time(21, 59))] == ["auto"] * 3


@pytest.mark.parametrize("written", ["anyone", "[anyone]", "[bob, anyone]"])
def test_anyone_is_everybody(written: str) -> None:
    answer = agent(f"answer: {{mode: auto, from: {written}}}").answer
    assert answer.decide("mallory", time(15))[0] == "auto"


def test_secrets_do_not_show_in_logs() -> None:
    config = agent("media: {turn: [{url: 'turn:h', username: u, credential: hunter2}]}")
    assert config.identity.usersig == "abc"
    assert "abc" not in repr(config)
    assert "hunter2" not in repr(config)
    assert "hunter2" not in repr(parse_server_config("storage: {url: 'postgresql://u:hunter2@h/d'}"))


def test_database_is_in_the_storage_folder_unless_named() -> None:
    assert (
        parse_server_config("storage: {directory: /x}").storage.database_url
        == "sqlite:////x/callagent.sqlite"
    )
    assert parse_server_config("storage: {url: 'sqlite:////y'}").storage.database_url == "sqlite:////y"


def test_encoders_by_their_own_names_and_by_short_ones() -> None:
    video = agent("video: {encoders: [camera, v4l2m2m, {name: h264_qsv, options: {low_power: true}}]}").video
    assert [each.name for each in video.encoders] == ["camera", "h264_v4l2m2m", "h264_qsv"]
    assert video.encoders[2].options == {"low_power": True}
    with pytest.raises(ConfigError, match="names an encoder twice"):
        agent("video: {encoders: [nvenc, h264_nvenc]}")
