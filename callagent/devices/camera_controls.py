# SPDX-License-Identifier: GPL-3.0-or-later
"""A camera's controls: brightness, focus, exposure, power-line frequency, pan, tilt, zoom, privacy shutter.

Kernel: Documentation/userspace-api/media/v4l/control.rst and ext-ctrls-camera.rst. Every call may take
as long as the camera does, five seconds for one that hangs: for worker threads.
"""

import contextlib
import errno
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from linuxpy.ioctl import ioctl
from linuxpy.video import raw
from linuxpy.video.device import ControlFlag, ControlType, get_control, iter_read_controls, set_control

from callagent.devices.errors import CAMERA_SET_PARAM_FAIL
from callagent.ports import SourceError

PRIVACY_ID = int(raw.ControlID.PRIVACY)
Value = bool | int | str
Kind = Literal["integer", "boolean", "menu", "button"]

_KINDS: dict[int, Kind] = {
    ControlType.INTEGER: "integer",
    ControlType.BOOLEAN: "boolean",
    ControlType.MENU: "menu",
    ControlType.INTEGER_MENU: "menu",
    ControlType.BUTTON: "button",
}


@dataclass(frozen=True, slots=True)
class ControlInfo:
    """One control, as it is now."""

    id: int
    name: str
    """As v4l2-ctl writes it: `power_line_frequency`."""
    kind: Kind
    minimum: int
    maximum: int
    step: int
    default: Value | None
    value: Value | None
    """None where it cannot be read."""
    items: tuple[str, ...] = ()
    """Of a menu, in order of their numbers; those the camera lacks are empty."""
    read_only: bool = False
    inactive: bool = False
    """Of no effect at the moment, since an automatic one is on."""


def read_controls(device: Any) -> list[ControlInfo]:
    """All controls of an open device (anything with `fileno`) that a person could set. Raises OSError."""
    return [_described(device, control) for control in iter_read_controls(device) if _is_plain(control)]


def write_control(device: Any, name: str, value: Value) -> None:
    """Set one control by name. Raises SourceError saying what there is, or what it takes; OSError."""
    controls = {control.name: control for control in read_controls(device)}
    control = controls.get(name)
    if control is None:
        known = ", ".join(sorted(controls)) or "none"
        raise _refused(f"The camera has no control {name}; it has: {known}")
    if control.read_only:
        raise _refused(f"The control {name} can only be read")
    number = number_of(control, value)
    try:
        set_control(device, control.id, number)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ERANGE, errno.EACCES, errno.EBUSY):
            raise _refused(f"The camera refuses {name} = {value}") from error
        raise


def apply_controls(device: Any, wanted: Mapping[str, Value]) -> list[str]:
    """Set all, switches before numbers, since an automatic one locks its number; returns complaints."""
    complaints = []
    for name, value in sorted(wanted.items(), key=lambda item: not isinstance(item[1], bool | str)):
        try:
            write_control(device, name, value)
        except (SourceError, OSError) as error:
            complaints.append(str(error))
    return complaints


def read_privacy(device: Any) -> bool | None:
    """Whether the camera's shutter is closed; None for a camera without such a control."""
    try:
        return bool(get_control(device, PRIVACY_ID))
    except OSError:
        return None


def number_of(control: ControlInfo, value: Value) -> int:
    """What the kernel is told. Raises SourceError naming the range or the items."""
    if control.kind == "menu" and isinstance(value, str):
        names = [item.lower() for item in control.items]
        if value.lower() not in names or not value:
            items = ", ".join(filter(None, control.items))
            raise _refused(f"{control.name} takes one of: {items}; not {value}")
        return control.minimum + names.index(value.lower())
    if isinstance(value, str):
        raise _refused(f"{control.name} takes {_range(control)}, not {value}")
    number = int(value)
    if control.kind != "button" and not control.minimum <= number <= control.maximum:
        raise _refused(f"{control.name} takes {_range(control)}, not {number}")
    return number


def name_of(text: bytes) -> str:
    """`Power Line Frequency` and `Exposure, Auto` as v4l2-ctl writes them."""
    return re.sub(r"[^a-z0-9]+", "_", text.decode(errors="replace").lower()).strip("_")


def _range(control: ControlInfo) -> str:
    if control.kind == "boolean":
        return "on or off"
    step = f" in steps of {control.step}" if control.step > 1 else ""
    return f"{control.minimum} to {control.maximum}{step}"


def _refused(text: str) -> SourceError:
    return SourceError(text, CAMERA_SET_PARAM_FAIL)


def _is_plain(control: Any) -> bool:
    flags = ControlFlag(control.flags)
    hidden = ControlFlag.DISABLED in flags or ControlFlag.HAS_PAYLOAD in flags
    return control.type in _KINDS and not hidden


def _described(device: Any, control: Any) -> ControlInfo:
    flags, kind = ControlFlag(control.flags), _KINDS[control.type]
    items = tuple(_menu(device, control)) if kind == "menu" else ()
    value: Value | None = None
    if kind != "button" and ControlFlag.WRITE_ONLY not in flags:
        with contextlib.suppress(OSError):
            value = _shown(kind, get_control(device, control.id), control.minimum, items)
    return ControlInfo(
        control.id,
        name_of(bytes(control.name)),
        kind,
        int(control.minimum),
        int(control.maximum),
        int(control.step),
        None if kind == "button" else _shown(kind, control.default_value, control.minimum, items),
        value,
        items,
        ControlFlag.READ_ONLY in flags,
        ControlFlag.INACTIVE in flags,
    )


def _shown(kind: Kind, number: int, minimum: int, items: tuple[str, ...]) -> Value:
    if kind == "boolean":
        return bool(number)
    position = int(number) - int(minimum)
    if kind == "menu" and 0 <= position < len(items) and items[position]:
        return items[position]
    return int(number)


def _menu(device: Any, control: Any) -> Iterator[str]:
    for index in range(int(control.minimum), int(control.maximum) + 1):
        entry = raw.v4l2_querymenu()
        entry.id, entry.index = control.id, index
        try:
            ioctl(device, raw.IOC.QUERYMENU, entry)
        except OSError:
            yield ""
            continue
        numbered = control.type == ControlType.INTEGER_MENU
        yield str(entry.value if numbered else bytes(entry.name).decode(errors="replace").rstrip("\0"))
