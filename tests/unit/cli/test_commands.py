# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line as a person meets it: a process, its output and its exit code."""

import asyncio
import json
import os
import stat
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from callagent.cli.main import main
from callagent.config import parse_server_config
from callagent.protocol import control as api
from callagent.protocol.control import CALL_PATH, MICROPHONE_PATH, STATS_PATH
from callagent.protocol.errors import ErrorCode
from callagent.protocol.usersig import verify_usersig
from callagent.server.accounts import Accounts
from callagent.server.serve import running_service
from tests.unit.cli.agent_server import CALL_ID, STATUS, agent_server, not_now


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


async def callagent(*arguments: str | Path, **environment: str) -> Result:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "callagent", *map(str, arguments)),
        stdout=PIPE,
        stderr=PIPE,
        env=os.environ | {"XDG_RUNTIME_DIR": "/nonexistent"} | environment,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    result = Result(process.returncode, out.decode(), err.decode())
    assert "Traceback" not in result.err
    return result


async def test_status_for_people_and_for_programs(tmp_path: Path) -> None:
    async with agent_server(tmp_path / "s"):
        shown = await callagent("status", "--socket", tmp_path / "s")
        printed = await callagent("status", "--json", CALLAGENT_SOCKET=str(tmp_path / "s"))
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.splitlines() == [
        "state                 connected, video call, called, with alice (sends audio and video), "
        "for 0:01:23",
        "service               https://calls.example.org:8443, reconnecting: the service does not answer",
        "user                  lobby (app 1400000001) on linux-1",
        "camera                absent: no camera is plugged in",
        "microphone            live virtual-microphone 48000 Hz (muted=False)",
        "  alice.codec         H264",
        "  alice.round_trip_s  0.013",
        "up                    1 d 2:03:04",
        "version               0.1.0, aiortc 1.16",
        "screen                portrait, display HDMI-A-1 is 1080x1920",
        "counters              calls 3",
        "problem               The ring sound cannot be read; the built-in one plays instead",
    ]
    assert json.loads(printed.out) == STATUS.wire()


async def test_devices_and_history(tmp_path: Path) -> None:
    async with agent_server(tmp_path / "s"):
        devices = await callagent("devices", "--socket", tmp_path / "s")
        history = await callagent("history", "--socket", tmp_path / "s")
    assert devices.out.splitlines() == [
        "cameras",
        "  *  usb-C920      C920  /dev/video0  HD Pro Webcam",
        "       camera:",
        "         device:",
        "           - path: /dev/video0",
        "     platform-cam  CSI                is in use by obs (pid 7)",
        "",
        "microphones",
        "  none",
        "",
        "speakers",
        "  none",
        "",
        "GPIO chips",
        "     gpio  pinctrl-bcm2711  /dev/gpiochip0",
    ]
    began = "2026-05-04 03:02:01"
    assert (
        " ".join(history.out.splitlines()[1].split())
        == f"{began} incoming NormalEnd audio alice lobby 0:01:01"
    )


async def test_where_the_time_goes(tmp_path: Path) -> None:
    async with agent_server(tmp_path / "s") as server:
        stats = await callagent("stats", "--seconds", "0.5", "--socket", tmp_path / "s")
        assert server.asked[-1] == (STATS_PATH, {"seconds": "0.5"})
    assert [line.split() for line in stats.out.splitlines()] == [
        ["STAGE", "COUNT", "P50", "MS", "P95", "MS", "MAX", "MS"],
        ["encoded", "150", "4.25", "7.50", "11.00"],
        ["played", "149", "0.10", "0.25", "31.50"],
        ["dropped,", "late:", "2"],
    ]


async def test_calling_and_hanging_up(tmp_path: Path) -> None:
    async with agent_server(tmp_path / "s") as server:
        socket = ("--socket", tmp_path / "s")
        called = await callagent("call", "alice", "--audio", "--timeout", "20", *socket)
        assert called.out == f"calling alice, for 30 s ({CALL_ID})\n"
        assert server.asked[-1] == (
            CALL_PATH,
            {"userIdList": ["alice"], "mediaType": 1, "timeout": 20, "userData": ""},
        )
        for command, said in (("answer", "answered"), ("reject", "rejected"), ("hangup", "hung up")):
            assert (await callagent(command, *socket)).out == f"{said}\n"
        assert (await callagent("microphone", "off", *socket)).out == "microphone off\n"
        assert server.asked[-1] == (MICROPHONE_PATH, {"enabled": False})


@pytest.mark.parametrize(
    ("command", "said", "path", "body"),
    [
        ("camera on", "camera on", api.CAMERA_PATH, {"enabled": True}),
        ("camera front", "camera: usb-C920", api.CAMERA_SIDE_PATH, {"side": "front"}),
        ("camera other", "camera: usb-C920", api.CAMERA_SIDE_PATH, {}),
        (
            *("camera set brightness 140", "brightness: 140", api.CAMERA_CONTROLS_PATH),
            {"name": "brightness", "value": 140},
        ),
        (
            *("camera set focus_automatic off", "focus_automatic: off", api.CAMERA_CONTROLS_PATH),
            {"name": "focus_automatic", "value": False},
        ),
        (
            "select microphone m1",
            "microphone: none",
            api.SELECT_PATH,
            {"slot": "microphone", "deviceId": "m1"},
        ),
        ("select camera", "camera: usb-C920", api.SELECT_PATH, {"slot": "camera"}),
        ("volume", "volume 65 %", api.VOLUME_PATH, {}),
        ("volume 40", "volume 65 %", api.VOLUME_PATH, {"volume": 40}),
        ("volume -5", "volume 65 %", api.VOLUME_PATH, {"step": -5}),
        ("privacy on", "privacy on", api.PRIVACY_PATH, {"enabled": True}),
        ("door", "opened", api.DOOR_PATH, {}),
        ("door alice", "opened", api.COMMAND_PATH, {"userId": "alice", "command": "openDoor"}),
    ],
)
async def test_what_is_asked_of_devices(
    tmp_path: Path, command: str, said: str, path: str, body: dict[str, object]
) -> None:
    async with agent_server(tmp_path / "s") as server:
        result = await callagent(*command.split(), "--socket", tmp_path / "s")
    assert result == Result(0, f"{said}\n", "")
    assert server.asked == [(path, body)]


async def test_the_cameras_controls_and_a_privacy_switch_that_stays_on(tmp_path: Path) -> None:
    async with agent_server(tmp_path / "s"):
        controls = await callagent("camera", "controls", "--socket", tmp_path / "s")
        refused = await callagent("privacy", "off", "--socket", tmp_path / "s")
    assert [" ".join(line.split()) for line in controls.out.splitlines()] == [
        "CONTROL VALUE RANGE",
        "brightness 128 0 to 255, step 1",
        "power_line_frequency 50 Hz Disabled | 50 Hz | 60 Hz",
        "exposure_time_absolute inactive",
        "privacy False on | off read only",
    ]
    assert (refused.code, refused.out) == (1, "privacy on\n")
    assert "another switch keeps it on" in refused.err
    for wrong in ("camera set brightness", "camera on brightness", "volume loud"):
        result = await callagent(*wrong.split(), "--socket", tmp_path / "s")
        assert (result.code, result.out) == (1, "")


async def test_watch_prints_a_line_for_each_event(tmp_path: Path) -> None:
    async with agent_server(tmp_path / "s"):
        shown = await callagent("watch", "--socket", tmp_path / "s", TZ="UTC")
        printed = await callagent("watch", "--json", "--socket", tmp_path / "s")
    assert shown.out.splitlines() == [
        "now       status  state=connected login=reconnecting userId=lobby",
        f"22:13:20  onCallReceived  callId={CALL_ID} callerId=alice",
        "22:13:21  onCallEnd  totalTime=1.5",
    ]
    assert (shown.code, shown.err) == (69, "callagent: the agent has stopped\n")
    assert [json.loads(line)["event"] for line in printed.out.splitlines()] == [
        "status",
        "onCallReceived",
        "onCallEnd",
    ]


async def test_refusals_and_absence_are_one_clear_line(tmp_path: Path) -> None:
    async with agent_server(tmp_path / "s") as server:
        server.refusal = not_now()
        refused = await callagent("answer", "--socket", tmp_path / "s")
        server.refusal = not_now(ErrorCode.SIGNALING_SEND_FAIL)
        unreachable = await callagent("answer", "--socket", tmp_path / "s")
    assert refused == Result(1, "", "callagent: There is no call to answer (callId) [-1203]\n")
    assert unreachable.code == 69
    nobody = await callagent("status", "--socket", tmp_path / "none")
    assert nobody == Result(69, "", f"callagent: no agent listens on {tmp_path}/none; is it running?\n")


async def test_a_usage_error() -> None:
    result = await callagent("call", "alice", "--audio", "--video")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("usage: callagent call")


async def test_configuration_mistakes_exit_78(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text("identity: {user: a, usersig: b}\ncamra: {}\ncall: {timeout_s: 5}\n")
    result = await callagent("run", "-c", path)
    assert (result.code, result.out) == (78, "")
    first, second = result.err.splitlines()
    assert first.startswith(f"{path}:2:1: camra: unknown key; did you mean camera?")
    assert second.startswith(f"{path}:3:19: call.timeout_s: must be 0")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """The same command line without the process around it."""

    def command(*arguments: str | Path) -> Result:
        code = main([str(argument) for argument in arguments])
        return Result(code, *capsys.readouterr())

    return command


def test_more_usage_errors(run: Callable[..., Result]) -> None:
    for arguments in ([], ["dance"], ["call"], ["token", "a", "b"], ["config", "check"], ["camera", "maybe"]):
        with pytest.raises(SystemExit) as caught:
            run(*arguments)
        assert caught.value.code == 2


def test_files_that_are_missing(run: Callable[..., Result], tmp_path: Path) -> None:
    missing = tmp_path / "none.yaml"
    for arguments in (["run"], ["serve"], ["token", "bob"], ["account", "list"]):
        result = run(*arguments, "-c", missing)
        assert result == Result(78, "", f"{missing}: cannot be read: No such file or directory\n")


def test_config_check_and_schema(run: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "server.yaml"
    path.write_text("storage: {directory: data}\n")
    assert run("config", "check", "--server", path) == Result(0, f"{path}: good\n", "")
    secret = tmp_path / "turn.secret"
    path.write_text(f"ice: {{turn: [{{host: turn.example.org, secret_file: {secret}}}]}}\n")
    for content, reason in ((None, "cannot be read"), ("short", "has fewer than 16 characters")):
        if content is not None:
            secret.write_text(content)
        unusable = run("config", "check", "--server", path)
        assert (unusable.code, unusable.out) == (78, "")
        assert f"{path}: the TURN secret (ice.turn.secret_file) {reason}" in unusable.err
    secret.write_text("sixteen and more letters")
    assert run("config", "check", "--server", path).code == 0
    path.write_text("storage: {directory: data}\n")
    refused = run("config", "check", path)
    assert (refused.code, f"{path}:1:1: storage: unknown key" in refused.err) == (78, True)
    assert "identity" in json.loads(run("config", "schema").out)["properties"]
    assert "listen" in json.loads(run("config", "schema", "--server").out)["properties"]


def test_accounts(run: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "server.yaml"
    path.write_text("storage: {directory: data}\n")
    file = ("-c", path)
    assert run("account", "add", "alice", "--nickname", "Alice A.", *file).out == "alice: added\n"
    again = run("account", "add", "alice", *file)
    assert (again.code, again.err) == (1, "callagent: The user alice exists already (userId) [-1202]\n")
    listed = run("account", "list", *file)
    assert listed.out.splitlines() == ["USER   NICKNAME  LOGGED IN EVER", "alice  Alice A.  no"]
    assert run("account", "admin", "alice", *file).out == "alice: an administrator\n"
    assert run("account", "admin", "alice", "--revoke", *file).out == "alice: no longer an administrator\n"
    assert run("account", "admin", "bob", *file).code != 0
    assert run("account", "remove", "alice", *file).out == "alice: removed\n"
    assert run("account", "list", *file).out == "USER  NICKNAME  LOGGED IN EVER\n"


async def test_tickets(tmp_path: Path) -> None:
    path = tmp_path / "server.yaml"
    path.write_text("storage: {directory: data}\n")
    ticket = (await callagent("token", "alice", "--expire", "600", "-c", path)).out.strip()
    url = parse_server_config({"storage": {"directory": str(tmp_path / "data")}}).storage.database_url
    async with Accounts.open(url) as accounts:
        (app,) = await accounts.apps()
        secret = await accounts.secret(app.app_id)
    assert verify_usersig(ticket, app.app_id, secret, "alice").expire_s == 600


def test_services_that_have_no_such_app_or_no_database(run: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "server.yaml"
    path.write_text("storage: {directory: data}\n")
    unknown = run("token", "alice", "--app", "7", "-c", path)
    assert unknown == Result(1, "", "callagent: There is no such app (sdkAppId) [90005]\n")
    path.write_text(f"storage: {{url: 'sqlite:///{tmp_path}'}}\n")
    broken = run("account", "list", "-c", path)
    assert (broken.code, broken.out) == (1, "")
    assert broken.err.startswith("callagent: the service's database cannot be used: ")
    assert broken.err.count("\n") == 1


async def test_enrolling_a_machine(tmp_path: Path) -> None:
    config = parse_server_config(
        {
            "listen": {"https": {"host": "127.0.0.1", "port": 0}, "http": {"enabled": False}},
            "storage": {"directory": str(tmp_path / "data")},
        }
    )
    key = tmp_path / "device.key"
    async with running_service(config) as handle:
        accounts = handle.service.accounts
        app_id = (await accounts.apps())[0].app_id
        code = await accounts.enrolment_code(app_id, "lobby")
        service = ("--service", f"https://127.0.0.1:{handle.https_port}", "--code", code)
        assert handle.ca_path
        ca = ("--ca", handle.ca_path)

        nowhere = await callagent("enrol", *service, *ca, "--key-file", tmp_path / "none/device.key")
        assert (nowhere.code, "cannot be written: No such file" in nowhere.err) == (1, True)
        untrusted = await callagent("enrol", *service, "--key-file", key)
        assert (untrusted.code, "give its CA with --ca" in untrusted.err) == (69, True)
        assert not key.exists()

        enrolled = await callagent("enrol", *service, *ca, "--key-file", key)
        assert (enrolled.code, enrolled.err) == (0, "")
        assert f"device_key_file: {key}" in enrolled.out
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert (await accounts.device_usersig(key.read_text().strip())).user_id == "lobby"

        before = key.read_text()
        used = await callagent("enrol", *service, *ca, "--key-file", key)
        assert (used.code, key.read_text()) == (1, before)
        assert used.err.startswith("callagent: The code is wrong")
    gone = await callagent("enrol", *service, *ca, "--key-file", key)
    assert (gone.code, gone.err.count("\n")) == (69, 1)
    assert set(os.listdir(tmp_path)) == {"data", "device.key"}


async def test_a_reader_that_has_seen_enough() -> None:
    process = await asyncio.create_subprocess_shell(
        f"{sys.executable} -m callagent config schema | head -c 1", stdout=PIPE, stderr=PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert (out, err) == (b"{", b"")


@pytest.mark.parametrize("command", ["status", "config check"])
async def test_control_commands_start_without_the_heavy_libraries(command: str) -> None:
    script = (
        "import sys; from callagent.cli.main import main; main(sys.argv[1:])\n"
        "print(sorted({'av', 'aiortc', 'numpy', 'sqlalchemy', 'fastapi', 'cryptography'} & set(sys.modules)))"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script, *command.split(), "/nonexistent")[
            : 4 if command == "status" else None
        ],
        stdout=PIPE,
        stderr=PIPE,
        env=os.environ | {"CALLAGENT_SOCKET": "/nonexistent"},
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert out == b"[]\n"
