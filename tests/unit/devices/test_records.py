# SPDX-License-Identifier: GPL-3.0-or-later
"""From udev's records to devices; recorded on a machine with a UVC camera, vivid, two cards, keys, GPIO."""

import json
from pathlib import Path

import pytest

from callagent.devices.inventory import Change, ChangeKind, DeviceInfo, DeviceKind, Inventory, changes
from callagent.devices.records import inventory_of
from callagent.devices.registry import equal_serials, equal_serials_text
from callagent.devices.udev_source import UdevRecord
from callagent.devices.virtual.scripted import ScriptedHardware

DATA = Path(__file__).parent / "data"
RECORDED = [UdevRecord(**record) for record in json.loads((DATA / "laboratory.json").read_text())]
CAMERA_PORT = "platform-vhci_hcd.0-usb-0:3:1.0"


def names(inventory: Inventory, kind: DeviceKind) -> list[tuple[str, str]]:
    return [(device.name, device.path) for device in inventory.of(kind)]


def test_a_recorded_machine() -> None:
    found = inventory_of(RECORDED)
    assert names(found, DeviceKind.CAMERA) == [("Virtual Camera", "/dev/video4"), ("vivid", "/dev/video0")]
    sound = [
        ("Loopback", "hw:CARD=Loopback,DEV=0"),
        ("Loopback", "hw:CARD=Loopback,DEV=1"),
        ("Virtual Speakerphone", "hw:CARD=Speakerphone,DEV=0"),
    ]
    assert names(found, DeviceKind.MICROPHONE) == names(found, DeviceKind.SPEAKER) == sound
    assert ("Lab Virtual Button", "/dev/input/event4") in names(found, DeviceKind.KEYS)
    assert "mouse" not in str(names(found, DeviceKind.KEYS)).lower()
    assert names(found, DeviceKind.GPIO_CHIP) == [("gpiochip0", "/dev/gpiochip0")]


def test_who_a_camera_is() -> None:
    camera = inventory_of(RECORDED).of(DeviceKind.CAMERA)[0]
    assert camera.id == f"Kiosk_Lab_Virtual_Camera_A1@{CAMERA_PORT}"
    assert (camera.serial, camera.port, camera.vendor, camera.model) == (
        *("A1", CAMERA_PORT),
        *("Kiosk Lab", "Virtual Camera"),
    )
    assert (camera.usb_id, camera.bus, camera.driver) == ("1209:0001", "usb", "uvcvideo")
    assert f"/dev/v4l/by-path/{CAMERA_PORT}-video-index0" in camera.links


def test_ids_are_unique_within_a_kind() -> None:
    ids = [(device.kind, device.id) for device in inventory_of(RECORDED)]
    assert len(ids) == len(set(ids))


def video(number: int, capabilities: str | None, index: int = 0, interface: str = "1-1:1.0") -> UdevRecord:
    properties = {} if capabilities is None else {"ID_V4L_CAPABILITIES": capabilities}
    return UdevRecord(
        f"/devices/pci0/usb1/1-1/{interface}/video4linux/video{number}",
        "video4linux",
        f"/dev/video{number}",
        properties,
        {"index": str(index)},
    )


@pytest.mark.parametrize(
    ("records", "paths"),
    [
        # udev may tell of the metadata node first.
        ([video(1, ":"), video(0, ":capture:")], ["/dev/video0"]),
        ([video(4, ":capture:", 2), video(2, ":capture:", 0)], ["/dev/video2"]),
        # Colour and infrared in one case.
        ([video(0, ":capture:"), video(2, ":capture:", 0, "1-1:1.2")], ["/dev/video0", "/dev/video2"]),
        # A codec of an older kernel says both.
        ([video(10, ":capture:video_output:")], []),
        ([video(10, ":video_output:")], []),
        # No v4l_id: the first node counts.
        ([video(0, None, 0), video(1, None, 1)], ["/dev/video0"]),
    ],
)
def test_which_nodes_are_cameras(records: list[UdevRecord], paths: list[str]) -> None:
    assert [device.path for device in inventory_of(records)] == paths


def test_a_card_is_there_when_udev_has_finished_with_it() -> None:
    hardware = ScriptedHardware()
    hardware.new_card(serial="H1").plug("2")
    records = list(hardware.udev.snapshot())
    assert len(inventory_of(records).devices) == 2
    card = next(record for record in records if record.sysfs.endswith("card0"))
    unfinished = UdevRecord(card.sysfs, "sound", None, {}, card.attributes)
    assert inventory_of([unfinished, *(record for record in records if record is not card)]).devices == ()


def test_a_connector_and_what_is_connected_to_it() -> None:
    def connector(status: str, modes: str) -> UdevRecord:
        path = "/devices/pci0000:00/0000:00:02.0/drm/card1/card1-HDMI-A-1"
        return UdevRecord(path, "drm", None, {}, {"status": status, "modes": modes, "enabled": "disabled"})

    (there,) = inventory_of([connector("connected", "1080x1920\n800x600")])
    assert (there.id, there.path, there.plugged) == ("0000:00:02.0/HDMI-A-1", "HDMI-A-1", True)
    assert there.description == "1080x1920, connected"
    (gone,) = inventory_of([connector("disconnected", "")])
    assert not gone.plugged
    assert changes(Inventory((there,)), Inventory((gone,))) == (Change(ChangeKind.CHANGED, gone),)


def test_hdmi_outputs_are_named_as_the_driver_does() -> None:
    folder = "/devices/pci0000:00/0000:00:1f.3/sound/card0"
    card = UdevRecord(
        folder,
        "sound",
        None,
        {
            "SOUND_INITIALIZED": "1",
            "ID_PATH": "pci-0000:00:1f.3",
            "ID_MODEL_FROM_DATABASE": "Alder Lake-N PCH HD Audio",
        },
        {"id": "PCH"},
    )
    outputs = [
        UdevRecord(f"{folder}/pcmC0D{number}p", "sound", "/dev/snd/x", {}, {"pcm_name": name})
        for number, name in ((0, "ALC269VC Analog"), (3, "HDMI 0"))
    ]
    analog, hdmi = inventory_of([card, *outputs])
    assert (analog.name, analog.id) == ("Alder Lake-N PCH HD Audio", "pci-0000:00:1f.3")
    assert (hdmi.id, hdmi.path) == ("pci-0000:00:1f.3,3", "hw:CARD=PCH,DEV=3")
    assert hdmi.description == "HDMI 0, pci, port pci-0000:00:1f.3"


def test_out_and_in_again_between_two_looks_is_both() -> None:
    hardware = ScriptedHardware()
    camera = hardware.new_camera(serial="A1")
    camera.plug("1")
    before = inventory_of(hardware.udev.snapshot())
    camera.unplug()
    camera.plug("1")
    after = inventory_of(hardware.udev.snapshot())
    assert [(change.kind, change.device.id) for change in changes(before, after)] == [
        (ChangeKind.REMOVED, before.devices[0].id),
        (ChangeKind.ADDED, before.devices[0].id),
    ]


def test_equal_serials_are_named_with_their_ports() -> None:
    hardware = ScriptedHardware()
    for port in ("1", "2"):
        hardware.new_camera(serial="A1").plug(port)
    hardware.new_camera(serial="B2").plug("3")
    hardware.new_camera().plug("4")
    present = inventory_of(hardware.udev.snapshot())
    ((first, second),) = equal_serials(present)
    assert {first.port, second.port} == {f"pci-0000:00:14.0-usb-0:{port}:1.0" for port in (1, 2)}
    text = equal_serials_text(first, second)
    assert first.port in text
    assert second.port in text


def test_port_2_comes_before_port_10() -> None:
    hardware = ScriptedHardware()
    for port in ("10", "2", "1"):
        hardware.new_camera().plug(port)
    ports = [device.port for device in inventory_of(hardware.udev.snapshot())]
    assert ports == [f"pci-0000:00:14.0-usb-0:{port}:1.0" for port in (1, 2, 10)]


def test_an_inventory_answers_by_id() -> None:
    device = DeviceInfo(DeviceKind.CAMERA, id="a", name="A", path="/dev/video0")
    inventory = Inventory((device,))
    assert inventory.get(DeviceKind.CAMERA, "a") is device
    assert inventory.get(DeviceKind.SPEAKER, "a") is None
