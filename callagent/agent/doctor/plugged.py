# SPDX-License-Identifier: GPL-3.0-or-later
"""What is plugged in, whether the configuration means any of it, and who has it open. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from callagent.agent.doctor.checks import Check, ok, warning
from callagent.agent.selection import ranked
from callagent.config import AgentConfig
from callagent.config.selectors import DeviceSelector
from callagent.devices.holders import SOUND_SERVERS, Holder
from callagent.devices.inventory import DeviceInfo, DeviceKind, Inventory
from callagent.devices.registry import equal_serials, equal_serials_text

MEDIA = (DeviceKind.CAMERA, DeviceKind.MICROPHONE, DeviceKind.SPEAKER)
_OTHERS = (DeviceKind.DISPLAY, DeviceKind.KEYS, DeviceKind.GPIO_CHIP)
_ASIDE = (
    "stop it for that user: systemctl --user mask --now pipewire.socket pipewire.service wireplumber.service "
    "pulseaudio.socket; or go through it with microphone.device and speaker.device: default"
)


def device_checks(present: Inventory, config: AgentConfig | None) -> Iterator[Check]:
    for kind in MEDIA:
        yield from _media_checks(kind, present, None if config is None else getattr(config, kind).device)
    for kind in _OTHERS:
        found = present.of(kind)
        if found:
            yield ok(f"{kind.replace('_', ' ')}: {', '.join(map(_named, found))}")
    for first, second in equal_serials(present):
        yield warning(equal_serials_text(first, second), "callagent devices prints the lines to paste")


def _media_checks(
    kind: DeviceKind, present: Inventory, wanted: str | list[DeviceSelector] | None
) -> Iterator[Check]:
    found = present.of(kind)
    if wanted in ("none", "virtual"):
        yield ok(f"{kind}: the configuration says {wanted}")
        return
    if not found:
        yield warning(f"{kind}: none is plugged in", "plug one in; lsusb shows what the kernel sees")
        return
    yield ok(f"{kind}: {', '.join(map(_named, found))}")
    if isinstance(wanted, list) and not ranked(wanted, found):
        yield warning(
            f"{kind}: none of those plugged in is one {kind}.device means",
            "callagent devices prints the lines to paste for each",
        )


def holder_checks(
    held: Sequence[tuple[DeviceInfo, Sequence[Holder]]], agent_pid: int | None, *, sees_all: bool
) -> Iterator[Check]:
    """`held`: each camera and sound device with the programs that have it open."""
    by_agent = [device.name for device, holders in held if agent_pid in {each.pid for each in holders}]
    if by_agent:
        yield ok(f"the running agent has these devices open: {', '.join(dict.fromkeys(by_agent))}")
    strangers = False
    for device, holders in held:
        others = [each for each in holders if each.pid != agent_pid]
        if not others:
            continue
        strangers = True
        server = any(each.name in SOUND_SERVERS for each in others)
        remedy = _ASIDE if server else f"end it: kill {' '.join(str(each.pid) for each in others)}"
        yield warning(f"{device.kind} {device.name} is in use by {', '.join(map(str, others))}", remedy)
    if not strangers:
        seen = "" if sees_all else ", as far as can be seen without root"
        yield ok(f"no other program has a camera or sound card open{seen}")


def sound_server_checks(running: Sequence[Holder], held: Mapping[int, object]) -> Iterator[Check]:
    """`held`: by pid, those that were named already."""
    waiting = [server for server in running if server.pid not in held]
    if waiting:
        names = ", ".join(map(str, waiting))
        yield warning(f"a sound server runs here and may take the sound cards: {names}", _ASIDE)


def _named(device: DeviceInfo) -> str:
    plugged = "" if device.plugged else ", nothing connected"
    where = device.path if device.path != device.name else ""
    details = f"{where}{plugged}".removeprefix(", ")
    return f"{device.name} ({details})" if details else device.name
