# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the devices present the configuration means, best first. Pure."""

from collections.abc import Iterable, Sequence

from callagent.config.globs import fits
from callagent.config.selectors import DeviceSelector
from callagent.devices.inventory import DeviceInfo, DeviceKind
from callagent.devices.registry import equal_serials, equal_serials_text

_MADE_OF_SOFTWARE = frozenset({"vivid", "v4l2loopback", "snd_aloop", "snd_dummy"})
"""Drivers without hardware: good for tests, never what `auto` means while there is anything else."""


def ranked(selectors: Sequence[DeviceSelector] | None, present: Iterable[DeviceInfo]) -> list[DeviceInfo]:
    """The devices to use, best first; None stands for `auto`.

    With selectors: in their order, equal ones by port; what none matches is not
    used. `auto`: real hardware before drivers made of software; USB before what is built in,
    since somebody plugged it in on purpose; sound without a display before
    HDMI and DisplayPort. An output without anything connected is not used.
    """
    usable = [device for device in present if device.plugged]
    if selectors is None:
        return sorted(usable, key=_automatic_order)
    chosen = [device for selector in selectors for device in usable if matches(selector, device)]
    return list(dict.fromkeys(chosen))


def matches(selector: DeviceSelector, device: DeviceInfo) -> bool:
    """Every given pattern fits one of the texts it may mean."""
    return all(fits([pattern], _texts(key, device)) for key, pattern in selector.patterns.items())


def ambiguities(selectors: Sequence[DeviceSelector] | None, present: Sequence[DeviceInfo]) -> list[str]:
    """A sentence for each two devices of one serial number that a selector by serial does not tell apart."""
    found = []
    for first, second in equal_serials(present):
        for selector in selectors or ():
            vague = selector.serial is not None and selector.port is None and selector.path is None
            if vague and matches(selector, first) and matches(selector, second):
                found.append(equal_serials_text(first, second))
                break
    return found


def selector_yaml(device: DeviceInfo, others: Iterable[DeviceInfo]) -> str:
    """What to paste into the configuration to mean this device, whatever else is plugged in."""
    others = tuple(others)
    lines = []
    if device.serial:
        lines.append(f"serial: {_quoted(device.serial)}")
    twin = any(
        other.kind is device.kind and other.id != device.id and other.serial == device.serial
        for other in others
    )
    if device.port and (twin or not device.serial):
        lines.append(f"port: {_quoted(device.port)}")
    if any(_same_card(device, other) for other in others):
        lines.append(f"path: {_quoted(device.path)}")
    if not lines:
        lines.append(f"name: {_quoted(device.name)}")
    if device.kind not in (DeviceKind.CAMERA, DeviceKind.MICROPHONE, DeviceKind.SPEAKER):
        return "device: {" + ", ".join(lines) + "}"
    return f"{device.kind}:\n  device:\n    - " + "\n      ".join(lines) + "\n"


def _same_card(device: DeviceInfo, other: DeviceInfo) -> bool:
    """Another output of it, as HDMI beside analog sound."""
    return (
        device.kind in (DeviceKind.MICROPHONE, DeviceKind.SPEAKER)
        and other.kind is device.kind
        and other.id != device.id
        and (other.serial, other.port) == (device.serial, device.port)
    )


def _texts(key: str, device: DeviceInfo) -> tuple[str, ...]:
    number = device.usb_id.partition(":")
    match key:
        case "serial":
            return (device.serial,)
        case "port":
            return (device.port,)
        case "path":
            return (device.path, *device.links)
        case "vendor":
            return (device.vendor, number[0])
        case "model":
            return (device.model, number[2])
        case "bus":
            return (device.bus,)
        case _:
            return (device.name,)


def _automatic_order(device: DeviceInfo) -> tuple[bool, bool, bool]:
    over_cable = any(word in device.description for word in ("HDMI", "DisplayPort"))
    return (device.driver in _MADE_OF_SOFTWARE, over_cable, device.bus != "usb")


def _quoted(text: str) -> str:
    """YAML takes a serial number of digits or with a colon for something else."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
