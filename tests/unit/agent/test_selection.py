# SPDX-License-Identifier: GPL-3.0-or-later
"""Which devices the configuration means, in which order, and the YAML that means one."""

import textwrap

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from callagent.agent.selection import ambiguities, matches, ranked, selector_yaml
from callagent.config import parse_agent_config
from callagent.config.selectors import DeviceSelector
from callagent.devices.inventory import DeviceInfo, DeviceKind, Inventory
from callagent.devices.records import inventory_of
from callagent.devices.virtual.scripted import ScriptedHardware
from tests.unit.devices.test_records import RECORDED

LAB = inventory_of(RECORDED)
CAMERAS = LAB.of(DeviceKind.CAMERA)
USB, VIVID = CAMERAS


def selector(**patterns: str) -> DeviceSelector:
    return DeviceSelector(**patterns)


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ({"serial": "A1"}, [USB]),
        ({"serial": "a?"}, [USB]),
        ({"vendor": "kiosk*"}, [USB]),
        ({"vendor": "1209", "model": "0001"}, [USB]),
        ({"model": "Virtual Camera"}, [USB]),
        ({"port": "*usb-0:3:1.0"}, [USB]),
        ({"path": "/dev/v4l/by-id/usb-Kiosk_Lab_Virtual_Camera_A1-video-index0"}, [USB]),
        ({"path": "/dev/video0"}, [VIVID]),
        ({"bus": "platform"}, [VIVID]),
        ({"name": "vi*"}, [USB, VIVID]),
        ({"name": "vi*", "bus": "usb"}, [USB]),
        ({"serial": "B2"}, []),
    ],
)
def test_each_kind_of_pattern(patterns: dict[str, str], expected: list[DeviceInfo]) -> None:
    assert ranked([selector(**patterns)], CAMERAS) == expected


def test_the_order_of_the_selectors_is_the_order_of_preference() -> None:
    assert ranked([selector(path="/dev/video0"), selector(bus="usb")], CAMERAS) == [VIVID, USB]
    assert ranked([selector(name="*"), selector(path="/dev/video0")], CAMERAS) == [USB, VIVID]


def test_auto_prefers_what_somebody_plugged_in_and_never_hdmi_or_software_first() -> None:
    def speaker(
        name: str, bus: str, driver: str = "", description: str = "", plugged: bool = True
    ) -> DeviceInfo:
        return DeviceInfo(
            DeviceKind.SPEAKER, name, name, name, description, bus=bus, driver=driver, plugged=plugged
        )

    usb, analog = speaker("usb", "usb"), speaker("analog", "pci")
    hdmi = speaker("hdmi", "pci", description="HDMI 0, pci")
    dark = speaker("dark", "pci", description="HDMI 1, pci", plugged=False)
    loop = speaker("loop", "platform", driver="snd_aloop")
    assert ranked(None, [loop, dark, hdmi, analog, usb]) == [usb, analog, hdmi, loop]
    assert ranked([selector(name="dark")], [dark]) == []


def test_the_printed_yaml_means_that_device_and_no_other() -> None:
    hardware = ScriptedHardware()
    for port, serial in (("1", "A1"), ("2", "A1"), ("3", "007"), ("4", "")):
        hardware.new_camera(serial=serial).plug(port)
    hardware.new_card(serial="H:1").plug("5")
    present = inventory_of(hardware.udev.snapshot())
    for device in present:
        section = str(device.kind)
        text = selector_yaml(device, present)
        config = parse_agent_config(
            yaml.safe_load(text) | {"identity": {"user": "a", "usersig": "b"}}, file="pasted"
        )
        found = ranked(getattr(config, section).device, present.of(device.kind))
        assert found == [device], textwrap.indent(text, "  ")


def test_a_selector_that_means_two_devices_is_told() -> None:
    hardware = ScriptedHardware()
    for port in ("1", "2"):
        hardware.new_camera(serial="A1").plug(port)
    cameras = inventory_of(hardware.udev.snapshot()).of(DeviceKind.CAMERA)
    (warning,) = ambiguities([selector(serial="A*")], cameras)
    assert "have the serial number A1" in warning
    assert ambiguities([selector(serial="A1", port=cameras[0].port), selector(bus="usb")], cameras) == []
    assert ambiguities(None, cameras) == []
    assert ambiguities([selector(serial="A1")], cameras[:1]) == []


def test_the_outputs_of_one_card_are_told_apart() -> None:
    outputs = [
        DeviceInfo(DeviceKind.SPEAKER, f"pci-1,{number}", "PCH", f"hw:CARD=PCH,DEV={number}", port="pci-1")
        for number in (0, 3)
    ]
    for output in outputs:
        pasted = yaml.safe_load(selector_yaml(output, Inventory(tuple(outputs))))["speaker"]["device"]
        assert ranked([DeviceSelector(**each) for each in pasted], outputs) == [output]


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_text_breaks_the_yaml_or_the_matching(serial: str, name: str) -> None:
    device = DeviceInfo(DeviceKind.CAMERA, "id", name or "x", "/dev/video0", serial=serial)
    try:
        section = yaml.safe_load(selector_yaml(device, Inventory((device,))))["camera"]["device"]
    except yaml.YAMLError:
        # Control characters are none of YAML's; udev replaces them in names and serial numbers.
        assert any(not character.isprintable() for character in serial + name)
        return
    (pattern,) = section
    assert isinstance(pattern.get("serial", ""), str)
    matches(DeviceSelector(name="*"), device)
