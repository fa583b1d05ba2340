# SPDX-License-Identifier: GPL-3.0-or-later
"""What cameras, microphones and speakers are present at this moment."""

import logging
import re
from dataclasses import dataclass
from pathlib import Path

from linuxpy.video.device import Capability, Device

from callagent.devices.video4linux import camera_error

log = logging.getLogger(__name__)

_DEV = Path("/dev")
_PCM_LIST = Path("/proc/asound/pcm")
_CARD_LIST = Path("/proc/asound/cards")


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """One device that is present."""

    id: str
    """The same while the device stays in its port; of cameras with a serial number, in any port."""
    name: str
    description: str
    """One line for a person: how it is connected, or why it cannot be used."""
    path: str
    """What to open: /dev/videoN for V4l2Camera, an ALSA PCM name for AlsaMicrophone and AlsaSpeaker."""


def list_cameras(dev: Path = _DEV) -> list[DeviceInfo]:
    """Every V4L2 node that captures pictures; one that may not be opened is listed with the reason."""
    ids = _links(dev / "v4l" / "by-path") | _links(dev / "v4l" / "by-id")
    nodes = sorted(
        dev.glob("video[0-9]*"), key=lambda path: int(path.name[5:]) if path.name[5:].isdigit() else 0
    )
    cameras = (_describe_camera(node, ids) for node in nodes)
    return [camera for camera in cameras if camera is not None]


def list_microphones() -> list[DeviceInfo]:
    """Every ALSA hardware PCM that captures."""
    return [pcm.info() for pcm in _pcms() if pcm.captures]


def list_speakers() -> list[DeviceInfo]:
    """Every ALSA hardware PCM that plays."""
    return [pcm.info() for pcm in _pcms() if pcm.plays]


@dataclass(frozen=True, slots=True)
class Pcm:
    """One line of /proc/asound/pcm, with its card's names."""

    card_id: str
    card_name: str
    device: int
    name: str
    plays: bool
    captures: bool

    def info(self) -> DeviceInfo:
        path = f"hw:CARD={self.card_id},DEV={self.device}"
        return DeviceInfo(path, self.card_name, self.name, path)


def parse_pcms(cards: str, pcms: str) -> list[Pcm]:
    """The contents of /proc/asound/cards and /proc/asound/pcm (kernel: sound/core/init.c, pcm.c).

    ``0 [PCH            ]: HDA-Intel - HDA Intel PCH`` and
    ``00-03: HDMI 0 : HDMI 0 : playback 1`` (id, name, directions).
    """
    names = {
        int(match[1]): (match[2], match[3])
        for match in re.finditer(r"^ *(\d+) \[(\S+) *\]: .* - (.+)$", cards, re.MULTILINE)
    }
    found = []
    for line in pcms.splitlines():
        match = re.match(r"(\d+)-(\d+): (.*?) : (.*?) : (.*)", line)
        if match is None or int(match[1]) not in names:
            continue
        card_id, card_name = names[int(match[1])]
        directions = match[5]
        found.append(
            Pcm(
                card_id,
                card_name.strip(),
                int(match[2]),
                match[4].strip() or match[3].strip(),
                "playback" in directions,
                "capture" in directions,
            )
        )
    return found


def _pcms() -> list[Pcm]:
    try:
        return parse_pcms(_CARD_LIST.read_text(), _PCM_LIST.read_text())
    except OSError:
        # No sound in this kernel, or no card.
        return []


def _links(folder: Path) -> dict[Path, str]:
    """Device node to the name udev gave it."""
    try:
        return {link.resolve(): link.name for link in sorted(folder.iterdir())}
    except OSError:
        return {}


def _describe_camera(node: Path, ids: dict[Path, str]) -> DeviceInfo | None:
    identity = ids.get(node.resolve(), str(node))
    device = Device(node)
    try:
        with device:
            if Capability.VIDEO_CAPTURE not in Capability(device.info.device_capabilities):
                return None
            card, bus = device.info.card, device.info.bus_info
    except OSError as error:
        return DeviceInfo(identity, node.name, str(camera_error(error, str(node))), str(node))
    if identity == str(node) and bus:
        identity = f"{bus}:{node.name}"
    return DeviceInfo(identity, card, bus, str(node))
