# SPDX-License-Identifier: GPL-3.0-or-later
"""`callagent doctor` as a process, on the machine the tests run on."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from callagent.agent.doctor import ON_REQUEST, TOPICS, Check, Running, State, examine, worst
from callagent.agent.doctor.examination import Scene, listener
from callagent.cli import doctor
from tests.programs import free_port
from tests.unit.cli.agent_server import agent_server
from tests.unit.cli.test_commands import callagent

IDENTITY = "identity: {user: lobby, usersig_file: ticket}\n"


def written(folder: Path, text: str = "", *, ticket: bool = True) -> Path:
    path = folder / "callagent.yaml"
    path.write_text(f"{IDENTITY}service: {{url: 'http://127.0.0.1:{free_port()}'}}\n{text}")
    if ticket:
        (folder / "ticket").touch(0o600)
    return path


def found(printed: str, topic: str, state: str) -> list[dict[str, Any]]:
    checks = json.loads(printed)["checks"]
    return [check for check in checks if (check["topic"], check["state"]) == (topic, state)]


def test_the_command_knows_every_topic() -> None:
    assert tuple(TOPICS) == doctor.TOPICS


async def test_the_whole_machine_without_an_agent(tmp_path: Path) -> None:
    """Whatever this machine has or lacks: no traceback, and the service nobody runs is the problem."""
    result = await callagent("doctor", "-c", written(tmp_path), "--json", "--socket", tmp_path / "s")
    assert (result.code, result.err) == (1, "")
    assert {check["topic"] for check in json.loads(result.out)["checks"]} == set(TOPICS) - ON_REQUEST
    assert all(check["remedy"] for check in json.loads(result.out)["checks"] if check["state"] != "ok")
    (unreachable,) = found(result.out, "service", "problem")
    assert "nobody listens there" in unreachable["remedy"]
    assert f"{tmp_path / 'callagent.yaml'} is good" in result.out
    assert "the agent does not run, so no device is in its use" in result.out
    assert found(result.out, "software", "problem") == []


async def test_one_topic_for_a_person(tmp_path: Path) -> None:
    result = await callagent(
        "doctor", "hardware", "-c", written(tmp_path, "hardware: {profile: raspberry-pi-5}")
    )
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0] == "hardware"
    assert any(
        line.startswith(
            "  WARNING  hardware profile raspberry-pi-5 (Raspberry Pi 5): the configuration names it"
        )
        for line in lines
    )
    assert any("profile laboratory does" in line or "profile laboratory fits" in line for line in lines)
    assert lines[-1] == "no problem was found"


async def test_encoders_are_measured_when_asked_for(tmp_path: Path) -> None:
    result = await callagent("doctor", "encoders", "-c", written(tmp_path), "--json")
    assert (result.code, result.err) == (0, "")
    texts = [check["text"] for check in found(result.out, "encoders", "ok")]
    for name in ("libx264", "libvpx"):
        (line,) = [text for text in texts if text.startswith(name)]
        assert re.search(r"640x480: +\d+ pictures/s, +[\d.]+ ms CPU each, 1280x720: +\d+", line)
    assert any(text.startswith("h264_nvenc") for text in texts)


async def test_mistakes_are_named_by_file_line_and_key(tmp_path: Path) -> None:
    path = written(tmp_path, "camera: {fps: fast}\nhardwear: {}\n")
    result = await callagent("doctor", "configuration", "--config", path)
    assert result.code == 1
    assert f"PROBLEM  {path}:3:15: camera.fps: must be a whole number from 1 to 60, not 'fast'" in result.out
    assert f"PROBLEM  {path}:4:1: hardwear: unknown key; did you mean hardware?" in result.out
    assert result.out.splitlines()[-1] == "problems: 2"
    path = written(tmp_path, "hardware: {profile: raspberry-pi}\n")
    result = await callagent("doctor", "hardware", "--config", path)
    assert result.code == 1
    assert "There is no hardware profile raspberry-pi; there are generic-x86, intel-n100," in result.out


async def test_secrets_that_are_missing_or_open_to_all(tmp_path: Path) -> None:
    path = written(tmp_path, ticket=False)
    missing = await callagent("doctor", "configuration", "-c", path, "--json")
    assert missing.code == 1
    assert "ticket is missing" in found(missing.out, "configuration", "problem")[0]["text"]
    (tmp_path / "ticket").touch()
    (tmp_path / "ticket").chmod(0o644)
    found_open = await callagent("doctor", "configuration", "-c", path, "--json")
    assert "chmod 600" in found(found_open.out, "configuration", "warning")[0]["remedy"]
    absent = await callagent("doctor", "configuration", "-c", tmp_path / "absent.yaml")
    assert (absent.code, "there is no configuration" in absent.out) == (1, True)


async def test_a_topic_that_surprises_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def surprising(_: Scene) -> list[Check]:
        raise LookupError("no such thing")

    monkeypatch.setitem(TOPICS, "devices", surprising)
    running = Running(tmp_path / "s")
    found = {
        name: checks async for name, checks in examine(written(tmp_path), running, ["devices", "hardware"])
    }
    assert [check.text for check in found["devices"]] == [
        "devices could not be looked at: LookupError: no such thing"
    ]
    assert worst(found["hardware"]) is not State.PROBLEM


async def test_the_running_agent_is_asked(tmp_path: Path) -> None:
    async with agent_server(tmp_path / "s"):
        assert listener(tmp_path / "s") == os.getpid()
        result = await callagent(
            "doctor", "devices", "-c", written(tmp_path), "--socket", tmp_path / "s", "--json"
        )
    assert result.code == 0
    assert "the agent runs as lobby: connected, reconnecting" in result.out
    assert "the agent says: The ring sound cannot be read" in result.out
    assert listener(tmp_path / "s") is None


async def test_a_broken_library_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "alsaaudio.py").write_text("raise ImportError('libasound.so.2: no such file')\n")
    where = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    for topic in ("software", "devices"):
        result = await callagent("doctor", topic, "-c", written(tmp_path), "--json", PYTHONPATH=where)
        assert result.err == ""
        broken = found(result.out, topic, "problem")
        expected = ["the library pyalsaaudio cannot be used: libasound.so.2: no such file"]
        assert [check["text"] for check in broken] == (expected if topic == "software" else [])


async def test_the_agent_does_not_start_with_a_profile_that_does_not_exist(tmp_path: Path) -> None:
    """Nor does systemd try again: 78 is the code of a mistake in the configuration."""
    result = await callagent("run", "-c", written(tmp_path, "hardware: {profile: raspberry-pi}"))
    assert result.code == 78
    assert "There is no hardware profile raspberry-pi; there are generic-x86" in result.err + result.out
