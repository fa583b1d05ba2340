# SPDX-License-Identifier: GPL-3.0-or-later
"""A profile's values are used exactly where the configuration says nothing."""

from pathlib import Path
from typing import Any

import pytest

from callagent.agent.agent import Agent
from callagent.agent.board_nodes import BoardNodes
from callagent.agent.hardware import choose, find_hardware, with_profile
from callagent.agent.sign_in import identify
from callagent.config import AgentConfig, HardwareProfile, parse_agent_config
from callagent.config.profiles import ProfileFile
from callagent.devices.inventory import DeviceInfo, DeviceKind
from callagent.devices.nodes import KernelNodes
from callagent.devices.settings import CameraSettings, SoundSettings
from callagent.devices.virtual import VirtualCamera, VirtualMicrophone, VirtualSpeaker
from callagent.devices.virtual.scripted import ScriptedHardware
from callagent.ports import AudioOutput, AudioSource, VideoSource
from callagent.protocol.errors import CallAgentError, ErrorCode

IDENTITY = {"user": "kiosk", "usersig": "x"}


def profile(name: str = "board", **sections: Any) -> HardwareProfile:
    values = {"title": "A board", "sources": ["https://a.example"], "match": {"architecture": "*"}}
    return HardwareProfile.model_validate(values | {"name": name} | sections)


def config(**sections: Any) -> AgentConfig:
    return parse_agent_config({"identity": IDENTITY} | sections)


HEADER = {"chip": "soc", "pins": {"11": 17, "12": "NAME", "13": {"chip": "other", "line": 3}}}


@pytest.mark.parametrize(
    ("written", "gpio", "expected"),
    [
        ({"line": 17}, {}, ("soc", 17)),
        ({"line": "PIN_11"}, {}, ("soc", 17)),
        ({"line": "PIN_12"}, {}, ("soc", "NAME")),
        ({"line": "PIN_13"}, {}, ("other", 3)),
        ({"line": "PIN_14"}, {}, (None, "PIN_14")),
        ({"line": "DOOR"}, {}, (None, "DOOR")),
        ({"line": 17, "chip": "mine"}, {}, ("mine", 17)),
        ({"line": "PIN_11", "chip": "mine"}, {}, ("mine", "PIN_11")),
        ({"line": 17}, {"chip": "mine"}, (None, 17)),
        ({"line": "PIN_11"}, {"chip": "mine"}, (None, "PIN_11")),
    ],
)
def test_lines_get_the_profiles_chip(written: Any, gpio: Any, expected: tuple[str | None, int | str]) -> None:
    plain = config(
        gpio=gpio,
        buttons=[{"name": "a", "gpio": {**written, "active_low": True}}, {"name": "b", "key": "KEY_A"}],
        lights=[{"name": "l", "gpio": written, "shows": "ring"}],
        door={"gpio": written, "allow": "anyone"},
    )
    placed = with_profile(plain, profile(gpio=HEADER))
    first, second = placed.buttons
    assert first.gpio is not None
    assert first.gpio.active_low
    assert second == plain.buttons[1]
    assert placed.door is not None
    for line in (first.gpio, placed.lights[0].gpio, placed.door.gpio):
        assert (line.chip, line.line) == expected
    assert placed.gpio == plain.gpio
    assert with_profile(plain, profile()) == plain


class Recorder(KernelNodes):
    """Nodes that only remember the settings they were asked for."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def camera(self, device: DeviceInfo, settings: CameraSettings) -> VideoSource:
        self.asked.append(settings)
        return VirtualCamera()

    def microphone(self, device: DeviceInfo, settings: SoundSettings) -> AudioSource:
        self.asked.append(settings)
        return VirtualMicrophone()

    def speaker(self, device: DeviceInfo, settings: SoundSettings) -> AudioOutput:
        self.asked.append(settings)
        return VirtualSpeaker()


def test_the_boards_own_cards_are_set_and_no_others() -> None:
    sound = profile(
        sound={
            "microphone": {"name": "*Codec*", "level": 60, "controls": {"Boost": 1, "Filter": True}},
            "speaker": {"level": 80},
        }
    ).sound
    asked = Recorder()
    nodes = BoardNodes(asked, sound)
    own = DeviceInfo(DeviceKind.MICROPHONE, id="a", name="board-codec", path="hw:0")
    usb = DeviceInfo(DeviceKind.MICROPHONE, id="b", name="Headset", path="hw:1")
    speaker = DeviceInfo(DeviceKind.SPEAKER, id="c", name="Headset", path="hw:1")
    nodes.microphone(own, SoundSettings())
    nodes.microphone(own, SoundSettings(10, {"Boost": 0}))
    nodes.microphone(usb, SoundSettings())
    nodes.speaker(speaker, SoundSettings())
    nodes.speaker(speaker, SoundSettings(level=0))
    nodes.camera(usb, CameraSettings(economy=1))
    nowhere = DeviceInfo(DeviceKind.DISPLAY, id="d", name="HDMI-A-1", path="", sysfs="/no/drm/card99/x")
    with pytest.raises(FileNotFoundError, match="card99"):
        nodes.connector(nowhere)
    with pytest.raises(FileNotFoundError):
        nodes.gravity(nowhere)
    assert asked.asked == [
        SoundSettings(60, {"Boost": 1, "Filter": True}),
        SoundSettings(10, {"Boost": 0, "Filter": True}),
        SoundSettings(),
        SoundSettings(80),
        SoundSettings(0),
        CameraSettings(economy=1),
    ]


def test_by_name_by_itself_or_not_at_all() -> None:
    files = [ProfileFile(profile(name), Path(f"/{name}.yaml")) for name in ("one", "two")]
    assert choose("none", files, {}) is None
    assert choose("two", files, {}) is files[1].profile
    assert choose("auto", files, {}) is None
    assert choose("auto", files[:1], {"architecture": ["any"]}) is files[0].profile
    with pytest.raises(
        CallAgentError, match="There is no hardware profile three; there are one, two"
    ) as caught:
        choose("three", files, {})
    assert (caught.value.code, caught.value.field) == (ErrorCode.PARAM_INVALID, "hardware.profile")
    with pytest.raises(CallAgentError, match="one and two fit this machine equally well"):
        choose("auto", files, {"architecture": ["any"]})


def test_the_shipped_ones_can_be_named() -> None:
    found = find_hardware(config(hardware={"profile": "raspberry-pi-5"}))
    assert found is not None
    assert found.title == "Raspberry Pi 5"
    assert find_hardware(config(hardware={"profile": "none"})) is None


async def test_status_names_it() -> None:
    plain = config(
        service={"url": "http://127.0.0.1:9"},
        buttons=[{"name": "a", "gpio": {"line": 17}}],
        camera={"device": "none"},
        microphone={"device": "none"},
        speaker={"device": "none"},
    )
    hardware = ScriptedHardware()
    agent = Agent(
        plain,
        await identify(plain),
        hardware=profile(gpio=HEADER),
        udev=hardware.udev,
        nodes=hardware,
    )
    try:
        assert (await agent.status()).hardware_profile == "board"
        agent.panel.start()
        # The line is looked for on the profile's chip, which this machine has not.
        assert agent.panel.problems == ["button a: there is no GPIO line soc:17"]
    finally:
        await agent.close()
