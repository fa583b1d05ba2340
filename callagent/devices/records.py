# SPDX-License-Identifier: GPL-3.0-or-later
"""From udev's records to the devices a person would count. Pure.

Property names: systemd's rules 60-persistent-v4l, 78-sound-card, 60-persistent-input, 60-drm; node names:
the kernel's Documentation/admin-guide/devices.txt.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from callagent.devices.inventory import DeviceInfo, DeviceKind, Inventory
from callagent.devices.udev_source import UdevRecord

_PCM = re.compile(r"pcmC(\d+)D(\d+)([cp])")


def inventory_of(records: Iterable[UdevRecord]) -> Inventory:
    """All devices these records make up, by kind and then by port."""
    by_subsystem: dict[str, list[UdevRecord]] = {}
    for record in records:
        by_subsystem.setdefault(record.subsystem, []).append(record)
    found = [
        *_cameras(by_subsystem.get("video4linux", ())),
        *_sound_devices(by_subsystem.get("sound", ())),
        *_displays(by_subsystem.get("drm", ())),
        *_keys(by_subsystem.get("input", ())),
        *_gpio_chips(by_subsystem.get("gpio", ())),
        *_accelerometers(by_subsystem.get("iio", ())),
    ]
    kinds = list(DeviceKind)
    return Inventory(tuple(sorted(found, key=lambda device: (kinds.index(device.kind), _natural(device)))))


def _natural(device: DeviceInfo) -> tuple[list[str | int], ...]:
    """Port 2 before port 10."""
    return tuple(
        [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]
        for text in (device.port or device.sysfs, device.path)
    )


# --- cameras ------------------------------------------------------------------


def _cameras(records: Iterable[UdevRecord]) -> Iterator[DeviceInfo]:
    """One for each interface that captures: a UVC camera's second node carries metadata only, a
    camera for colours and one for infrared in one case are two interfaces."""
    cameras: dict[str, UdevRecord] = {}
    for record in records:
        if record.node is None or not _captures(record):
            continue
        owner = record.sysfs.partition("/video4linux/")[0]
        known = cameras.get(owner)
        if known is None or _index(record) < _index(known):
            cameras[owner] = record
    for owner, record in cameras.items():
        product = record.properties.get("ID_V4L_PRODUCT", "")
        yield _described(DeviceKind.CAMERA, record, record, name=product.partition(":")[0], sysfs=owner)


def _captures(record: UdevRecord) -> bool:
    """Pictures come out of this node: no codec, no radio, no touch pad."""
    if not re.fullmatch(r"video\d+", record.sysfs.rpartition("/")[2]):
        return False
    capabilities = record.properties.get("ID_V4L_CAPABILITIES")
    if capabilities is None:
        # udev's v4l_id is not installed everywhere; the first node of a camera gives its pictures.
        return _index(record) == 0
    return ":capture:" in capabilities and ":video_output:" not in capabilities


def _index(record: UdevRecord) -> int:
    text = record.attributes.get("index", "")
    return int(text) if text.isdigit() else 0


# --- sound --------------------------------------------------------------------


def _sound_devices(records: Iterable[UdevRecord]) -> Iterator[DeviceInfo]:
    """Each PCM of each card that udev has finished with (rule 78-sound-card marks the card last)."""
    records = list(records)
    cards = {
        record.sysfs: record
        for record in records
        if re.fullmatch(r"card\d+", record.sysfs.rpartition("/")[2])
        and record.properties.get("SOUND_INITIALIZED") == "1"
        and record.attributes.get("id")
    }
    for record in records:
        folder, _, name = record.sysfs.rpartition("/")
        pcm, card = _PCM.fullmatch(name), cards.get(folder)
        if pcm is None or card is None:
            continue
        number = int(pcm[2])
        path = f"hw:CARD={card.attributes['id']},DEV={number}"
        kind = DeviceKind.MICROPHONE if pcm[3] == "c" else DeviceKind.SPEAKER
        # An HDMI output; of others nothing is known.
        plugged = record.attributes.get("sink") != "0"
        details = (record.attributes.get("pcm_name", ""), "" if plugged else "no display that takes sound")
        device = _described(
            kind,
            card,
            record,
            name=_card_name(card),
            path=path,
            suffix=f",{number}" if number else "",
            detail=", ".join(filter(None, details)),
        )
        yield replace(device, plugged=plugged)


def _card_name(card: UdevRecord) -> str:
    model = card.properties.get("ID_MODEL") or card.properties.get("ID_MODEL_FROM_DATABASE")
    return _spaced(model) if model else card.attributes["id"]


# --- displays, keys, lines, sensors ---------------------------------------------


def _displays(records: Iterable[UdevRecord]) -> Iterator[DeviceInfo]:
    for record in records:
        match = re.fullmatch(r"card\d+-(.+)", record.sysfs.rpartition("/")[2])
        if match is None:
            continue
        card, _, _ = record.sysfs.partition("/drm/")
        connector, status = match[1], record.attributes.get("status", "unknown")
        mode = record.attributes.get("modes", "").partition("\n")[0]
        yield DeviceInfo(
            DeviceKind.DISPLAY,
            id=f"{card.rpartition('/')[2]}/{connector}",
            name=connector,
            path=connector,
            description=", ".join(text for text in (mode, status) if text),
            # Another display has other modes: a change then, not a new connector.
            instance=record.sysfs,
            port=card.rpartition("/")[2],
            sysfs=record.sysfs,
            mode=mode,
            plugged=status == "connected",
        )


def _keys(records: Iterable[UdevRecord]) -> Iterator[DeviceInfo]:
    for record in records:
        properties = record.properties
        wanted = properties.get("ID_INPUT_KEY") == "1" or properties.get("ID_INPUT_SWITCH") == "1"
        if wanted and record.node is not None and record.node.startswith("/dev/input/event"):
            # A headset's keyboard and its volume keys are two devices in one port.
            name = record.attributes.get("device/name", "")
            yield _described(DeviceKind.KEYS, record, record, name=name, suffix=f"/{name}" if name else "")


def _gpio_chips(records: Iterable[UdevRecord]) -> Iterator[DeviceInfo]:
    for record in records:
        if record.node is not None and re.fullmatch(r"/dev/gpiochip\d+", record.node):
            name = record.node.rpartition("/")[2]
            yield _described(DeviceKind.GPIO_CHIP, record, record, name=name)


def _accelerometers(records: Iterable[UdevRecord]) -> Iterator[DeviceInfo]:
    """Not those that know of themselves that they are in a keyboard's half (60-sensor.hwdb)."""
    for record in records:
        in_base = record.properties.get("ACCEL_LOCATION") == "base"
        if record.attributes.get("in_accel_x_raw") is not None and not in_base:
            device = _described(
                DeviceKind.ACCELEROMETER,
                record,
                record,
                name=record.attributes.get("name", ""),
                path=f"/sys{record.sysfs}",
            )
            yield replace(device, mount_matrix=record.properties.get("ACCEL_MOUNT_MATRIX", ""))


# --- what all have in common ------------------------------------------------------


def _described(
    kind: DeviceKind,
    identity: UdevRecord,
    record: UdevRecord,
    *,
    name: str = "",
    path: str | None = None,
    suffix: str = "",
    detail: str = "",
    sysfs: str | None = None,
) -> DeviceInfo:
    """`identity` carries the properties (of a PCM, its card), `record` is the node."""
    properties = identity.properties
    serial, port = properties.get("ID_SERIAL", "").removeprefix("noserial"), properties.get("ID_PATH", "")
    bus = properties.get("ID_BUS") or _bus(identity.sysfs)
    model = _spaced(properties.get("ID_MODEL", ""))
    vendor_id, model_id = properties.get("ID_VENDOR_ID", ""), properties.get("ID_MODEL_ID", "")
    place = port or identity.sysfs
    return DeviceInfo(
        kind,
        id=(f"{serial}@{place}" if serial else place) + suffix,
        name=name.strip() or model or properties.get("ID_MODEL_FROM_DATABASE") or place,
        path=path if path is not None else (record.node or ""),
        description=", ".join(text for text in (detail, f"{bus}, port {port}" if port else bus) if text),
        instance=f"{record.sysfs} {record.properties.get('USEC_INITIALIZED', '')}",
        serial=properties.get("ID_SERIAL_SHORT", ""),
        port=port,
        vendor=_spaced(properties.get("ID_VENDOR", "")),
        model=model,
        usb_id=f"{vendor_id}:{model_id}".lower() if bus == "usb" and vendor_id else "",
        bus=bus,
        driver=properties.get("ID_USB_DRIVER", "") or _driver(properties),
        sysfs=sysfs if sysfs is not None else record.sysfs,
        links=tuple(record.properties.get("DEVLINKS", "").split()),
    )


def _spaced(text: str) -> str:
    return text.replace("_", " ").strip()


def _bus(sysfs: str) -> str:
    """From `/devices/platform/vivid.0/...` or `/devices/pci0000:00/...`."""
    parts = sysfs.split("/")
    if any(re.fullmatch(r"usb\d+", part) for part in parts):
        return "usb"
    kind = parts[2] if len(parts) > 2 else ""
    return "pci" if kind.startswith("pci") else kind


def _driver(properties: Mapping[str, str]) -> str:
    """Without a driver's name udev still knows the platform device's."""
    port = properties.get("ID_PATH", "")
    return port.removeprefix("platform-").partition(".")[0] if port.startswith("platform-") else ""
