# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of made-up machines: each trouble in its own words, with what to do."""

import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from callagent.agent.doctor import State, worst
from callagent.agent.doctor.board import board_checks
from callagent.agent.doctor.checks import Check, ok, problem, warning
from callagent.agent.doctor.permissions import (
    KINDS,
    Account,
    Node,
    file_node,
    needed_kinds,
    permission_checks,
    present_nodes,
    service_account,
)
from callagent.agent.doctor.plugged import device_checks, holder_checks, sound_server_checks
from callagent.agent.doctor.software import (
    ALSA_VARIABLE,
    LIBRARIES,
    alsa_check,
    codec_checks,
    library_checks,
    library_failures,
    opus_check,
    opus_version,
)
from callagent.config import AgentConfig, HardwareProfile, parse_agent_config
from callagent.config.profiles import ProfileFile
from callagent.devices.holders import Holder, running_programs
from callagent.devices.inventory import DeviceInfo, DeviceKind, Inventory

ROOT = Path(__file__).parents[4]


def config(**sections: Any) -> AgentConfig:
    return parse_agent_config({"identity": {"user": "kiosk", "usersig": "x"}} | sections)


def troubles(checks: Iterable[Check]) -> list[tuple[str, str, str]]:
    return [(check.state.value, check.text, check.remedy) for check in checks if check.state is not State.OK]


def texts(checks: Iterable[Check]) -> str:
    return "\n".join(check.text for check in checks)


def test_the_worst_counts() -> None:
    assert worst([]) is State.OK
    assert worst([ok("a"), warning("b", "c"), ok("d")]) is State.WARNING
    assert worst([problem("a", "b"), warning("b", "c")]) is State.PROBLEM


# --- permissions --------------------------------------------------------------------

VIDEO = Node("/dev/video0", "root", "video", 0o660)
SOUND = Node("/dev/snd/pcmC0D0p", "root", "audio", 0o660)
KEY = Node("/dev/input/event3", "root", "input", 0o640)
CHIP = Node("/dev/gpiochip0", "root", "root", 0o600)
RENDER = Node("/dev/dri/renderD128", "root", "render", 0o660)
NODES = {"camera": [VIDEO], "sound": [SOUND], "keys": [KEY], "gpio": [CHIP], "render": [RENDER]}
SERVICE = Account("callagent", frozenset({"callagent", "audio", "video", "input"}))
ROOT_ACCOUNT = Account("root", root=True)


@pytest.mark.parametrize(
    ("node", "account", "writes", "may"),
    [
        (VIDEO, SERVICE, True, True),
        (VIDEO, Account("x"), True, False),
        (KEY, SERVICE, False, True),
        (KEY, SERVICE, True, False),
        (CHIP, SERVICE, True, False),
        (CHIP, ROOT_ACCOUNT, True, True),
        (Node("/n", "x", "video", 0o060), Account("x", frozenset({"video"})), False, False),
        (Node("/n", "root", "video", 0o606), Account("x", frozenset({"video"})), False, False),
        (Node("/n", "root", "video", 0o606), Account("x"), True, True),
    ],
)
def test_permission_bits_count_as_in_the_kernel(
    node: Node, account: Account, writes: bool, may: bool
) -> None:
    assert account.may(node, writes) is may


def test_who_may_not_and_the_command_that_repairs_it() -> None:
    lacking = Account("callagent", frozenset({"callagent", "audio"}))
    needed = frozenset({"camera", "sound", "gpio"})
    found = permission_checks(NODES, needed, lacking, ROOT_ACCOUNT)
    assert troubles(found) == [
        (
            "problem",
            "user callagent may not use camera: /dev/video0 (group video, mode 0660)",
            "usermod -aG video callagent && systemctl restart callagent",
        ),
        (
            "warning",
            "user callagent may not use keys: /dev/input/event3 (group input, mode 0640)",
            "usermod -aG input callagent && systemctl restart callagent",
        ),
        (
            "problem",
            "user callagent may not use gpio: /dev/gpiochip0 (group root, mode 0600)",
            KINDS["gpio"].orphaned,
        ),
        (
            "warning",
            "user callagent may not use render: /dev/dri/renderD128 (group render, mode 0660)",
            "usermod -aG render callagent && systemctl restart callagent",
        ),
    ]
    assert "user callagent may use sound: /dev/snd/pcmC0D0p" in texts(found)
    assert "you are root" in texts(found)


def test_the_caller_is_asked_about_too_but_the_service_matters() -> None:
    caller = Account("anna", frozenset({"anna"}))
    found = permission_checks({"camera": [VIDEO]}, frozenset({"camera"}), SERVICE, caller)
    assert troubles(found) == [
        (
            "warning",
            "user anna may not use camera: /dev/video0 (group video, mode 0660)",
            "usermod -aG video anna, then log in again",
        )
    ]
    # An access list of the seat's manager lets her in.
    found = permission_checks({"camera": [VIDEO]}, frozenset({"camera"}), SERVICE, caller, lambda *_: True)
    assert troubles(found) == []
    found = permission_checks({"camera": [VIDEO]}, frozenset({"camera"}), None, caller)
    assert [state for state, _, _ in troubles(found)] == ["warning", "problem"]
    assert "there is no user callagent" in texts(found)
    assert (
        texts(permission_checks({"camera": [VIDEO]}, frozenset(), SERVICE, SERVICE)).count("/dev/video0") == 1
    )


def test_many_nodes_are_not_all_named() -> None:
    nodes = [Node(f"/dev/snd/pcmC{number}D0p", "root", "audio", 0o660) for number in range(6)]
    (check,) = permission_checks({"sound": nodes}, frozenset(), SERVICE, SERVICE)
    assert check.text.endswith("/dev/snd/pcmC3D0p and 2 more")


def test_what_the_configuration_needs() -> None:
    assert needed_kinds(None) == {"camera", "sound"}
    software = {key: {"device": "virtual"} for key in ("camera", "microphone", "speaker")}
    assert needed_kinds(config(**software)) == frozenset()
    assert needed_kinds(config(**software | {"speaker": {"device": "auto"}})) == {"sound"}
    panel = config(
        **software,
        buttons=[{"name": "a", "key": "KEY_A"}],
        lights=[{"name": "l", "gpio": {"line": 1}, "shows": "ring"}],
    )
    assert needed_kinds(panel) == {"keys", "gpio"}


def test_nodes_and_groups_of_a_real_folder(tmp_path: Path) -> None:
    for name in ("video0", "video10", "snd/pcmC0D0p", "input/event0", "input/mouse0", "null"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch(0o640)
    found = present_nodes(tmp_path)
    assert {kind: [Path(node.path).name for node in nodes] for kind, nodes in found.items()} == {
        "camera": ["video0", "video10"],
        "sound": ["pcmC0D0p"],
        "keys": ["event0"],
        "gpio": [],
        "render": [],
    }
    assert found["camera"][0].mode & 0o400
    assert file_node(tmp_path / "absent") is None
    account = service_account(units=[tmp_path / "absent", ROOT / "systemd/callagent.service"])
    assert account is None or {"audio", "video", "input"} <= account.groups


# --- the board ------------------------------------------------------------------------


def profile(name: str, match: dict[str, Any], **sections: Any) -> ProfileFile:
    values = {"name": name, "title": name.title(), "sources": ["https://a.example"], "match": match}
    return ProfileFile(HardwareProfile.model_validate(values | sections), Path(f"/{name}.yaml"))


PI = profile("pi", {"device_tree": {"model": "Pi*"}}, gpio={"chip": "soc", "pins": {"11": 17}})
PROVEN = profile("proven", {"architecture": "arm64"}, untested=False)
FACTS = {"architecture": ["arm64"], "device_tree.model": ["Pi 4"]}


def test_which_profile_and_why() -> None:
    found = board_checks([PI, PROVEN], FACTS, config())
    assert "this machine says: architecture arm64; device_tree.model Pi 4" in texts(found)
    ((state, text, _),) = troubles(found)
    assert state == "warning"
    assert "hardware profile pi (Pi): it fits best; untested, nobody has run callagent on such" in text
    assert "profile pi fits: yes: device_tree.model is Pi 4, wanted Pi*" in texts(found)
    found = board_checks([PI, PROVEN], {"architecture": ["arm64"]}, None)
    assert troubles(found) == []
    assert "hardware profile proven (Proven): it fits best" in texts(found)
    assert "profile pi does not fit: no: device_tree.model is nothing, wanted Pi*" in texts(found)


def test_no_profile_the_wrong_one_and_two() -> None:
    ((state, text, remedy),) = troubles(board_checks([PI], {}, config()))
    assert (state, text) == ("warning", "no hardware profile fits this machine")
    assert "/etc/callagent/hw-profiles" in remedy
    assert troubles(board_checks([PI], {}, config(hardware={"profile": "none"}))) == []
    ((state, text, _),) = troubles(board_checks([PI], FACTS, config(hardware={"profile": "po"})))
    assert (state, text) == ("problem", "There is no hardware profile po; there are pi")
    twin = profile("twin", {"device_tree": {"model": "*4"}})
    ((state, text, remedy),) = troubles(board_checks([PI, twin], FACTS, config()))
    assert state == "problem"
    assert "pi and twin fit this machine equally well" in text
    assert "hardware.profile" in remedy


def test_a_pin_the_header_has_not() -> None:
    buttons = [{"name": "a", "gpio": {"line": "PIN_12"}}, {"name": "b", "gpio": {"line": "PIN_11"}}]
    found = board_checks(
        [PI], FACTS, config(buttons=buttons, door={"gpio": {"line": "PIN_1"}, "allow": "anyone"})
    )
    assert troubles(found)[1:] == [
        ("warning", "button a: the header of pi has no line PIN_12", "it has these: PIN_11"),
        ("warning", "door: the header of pi has no line PIN_1", "it has these: PIN_11"),
    ]
    found = board_checks([PI], FACTS, config(buttons=buttons, gpio={"chip": "mine"}))
    assert len(troubles(found)) == 1


# --- devices --------------------------------------------------------------------------


def device(kind: DeviceKind, name: str, port: str = "1", **more: Any) -> DeviceInfo:
    return DeviceInfo(kind, id=f"{name}@{port}", name=name, path=f"/dev/{name}", port=port, **more)


CAMERA = device(DeviceKind.CAMERA, "cam", serial="1")


def test_what_is_plugged_in_and_what_is_not() -> None:
    display = DeviceInfo(DeviceKind.DISPLAY, id="d", name="DP-1", path="DP-1", plugged=False)
    found = list(device_checks(Inventory((CAMERA, display)), config(speaker={"device": "none"})))
    assert troubles(found) == [
        ("warning", "microphone: none is plugged in", "plug one in; lsusb shows what the kernel sees")
    ]
    assert texts(found).splitlines() == [
        "camera: cam (/dev/cam)",
        "microphone: none is plugged in",
        "speaker: the configuration says none",
        "display: DP-1 (nothing connected)",
    ]


def test_selectors_that_mean_nothing_and_equal_serials() -> None:
    twin = device(DeviceKind.CAMERA, "cam", "2", serial="1")
    plain = {key: {"device": "none"} for key in ("microphone", "speaker")}
    found = troubles(
        device_checks(Inventory((CAMERA, twin)), config(camera={"device": [{"serial": "9"}]}, **plain))
    )
    assert [text for _, text, _ in found] == [
        "camera: none of those plugged in is one camera.device means",
        "Two devices cam have the serial number 1, in the ports 1 and 2: add port: to the selector to tell "
        "them apart",
    ]
    assert all("callagent devices prints the lines to paste" in remedy for _, _, remedy in found)


def test_who_has_them_open() -> None:
    speaker = device(DeviceKind.SPEAKER, "card")
    held: list[tuple[DeviceInfo, Sequence[Holder]]] = [
        (CAMERA, [Holder(7, "callagent"), Holder(9, "obs")]),
        (speaker, [Holder(11, "pipewire")]),
    ]
    found = list(holder_checks(held, 7, sees_all=True))
    assert texts(found).splitlines() == [
        "the running agent has these devices open: cam",
        "camera cam is in use by obs (pid 9)",
        "speaker card is in use by pipewire (pid 11)",
    ]
    first, second = troubles(found)
    assert first[2] == "end it: kill 9"
    assert "systemctl --user mask --now pipewire.socket" in second[2]
    assert texts(holder_checks([(CAMERA, [])], None, sees_all=False)) == (
        "no other program has a camera or sound card open, as far as can be seen without root"
    )
    assert texts(holder_checks([(CAMERA, [Holder(9, "obs")])], None, sees_all=True)) == (
        "camera cam is in use by obs (pid 9)"
    )


def test_sound_servers_that_wait(tmp_path: Path) -> None:
    for pid, name in (("12", "pipewire"), ("13", "wireplumber"), ("14", "bash"), ("self", "pipewire")):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "comm").write_text(name + "\n")
    (tmp_path / "15").mkdir()
    running = running_programs({"pipewire", "wireplumber"}, tmp_path)
    assert running == [Holder(12, "pipewire"), Holder(13, "wireplumber")]
    ((_, text, _),) = troubles(sound_server_checks(running, {12: running[0]}))
    assert text == "a sound server runs here and may take the sound cards: wireplumber (pid 13)"
    assert list(sound_server_checks(running, {12: 0, 13: 0})) == []


# --- software -------------------------------------------------------------------------


def test_every_library_of_the_agent_is_looked_at() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        wanted = tomllib.load(file)["project"]["dependencies"]
    assert {text.split(">")[0] for text in wanted} == set(LIBRARIES)
    assert library_failures() == {}


def test_libraries_and_codecs_that_fail() -> None:
    found = list(library_checks({"av": "no libx"}, {"aiohttp": "3.9"}))
    assert troubles(found) == [
        (
            "problem",
            "the library av cannot be used: no libx",
            "install it again: /opt/callagent/bin/pip install --force-reinstall av",
        )
    ]
    assert found[-1].text.startswith("libraries: aiohttp 3.9, aiortc ?, cffi ?, evdev ?")
    ((state, text, _),) = troubles(codec_checks(["libvpx"]))
    assert (state, text) == ("problem", "FFmpeg has no libvpx")
    assert texts(codec_checks([])) == "FFmpeg has libx264, libvpx"


def test_sound_needs_libopus(monkeypatch: pytest.MonkeyPatch) -> None:
    assert opus_check(opus_version).text.startswith("sound: libopus 1.")
    monkeypatch.setattr("callagent.media.opus.library._loaded", None)
    monkeypatch.setattr("callagent.media.opus.library.SONAME", "libopus-of-nobody.so.0")
    ((state, text, remedy),) = troubles([opus_check(opus_version)])
    assert state == "problem"
    assert "libopus-of-nobody.so.0 is missing" in text
    assert remedy == "apt-get install --reinstall libopus0"


def test_where_alsa_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "alsa.conf"
    monkeypatch.setattr("callagent.agent.doctor.software.ALSA_DEFAULT", str(file))
    assert troubles([alsa_check({ALSA_VARIABLE: str(tmp_path)})]) == [
        (
            "problem",
            f"ALSA_CONFIG_PATH={tmp_path}, which is no file: no sound card can be opened by name",
            f"unset ALSA_CONFIG_PATH, or set it to {file} as systemd/callagent.service does",
        )
    ]
    ((_, text, remedy),) = troubles([alsa_check({})])
    assert text == f"ALSA_CONFIG_PATH is not set and {file} is missing: no sound card can be opened"
    assert remedy == "apt-get install libasound2-data"
    file.touch()
    assert troubles([alsa_check({}), alsa_check({ALSA_VARIABLE: str(file)})]) == []
