# SPDX-License-Identifier: GPL-3.0-or-later
"""What /proc/asound says about a PCM: its node, and who holds it (kernel: sound/core/pcm.c, info.c)."""

import re
from pathlib import Path

from callagent.devices.alsa_mixer import card_of
from callagent.devices.holders import SOUND_SERVERS, Holder, holders

_PROC = Path("/proc")


def pcm_node(pcm: str, capture: bool, proc: Path = _PROC) -> str | None:
    """/dev/snd/pcmC1D0c of `hw:CARD=Device,DEV=0`; None for `default` and the like."""
    place = _place(pcm, proc)
    if place is None:
        return None
    index, device = place
    return f"/dev/snd/pcmC{index}D{device}{'c' if capture else 'p'}"


def held_by(pcm: str, capture: bool, proc: Path = _PROC) -> str:
    """For a message: who has the PCM open, and what to do when it is a sound server."""
    found = _owners(pcm, capture, proc)
    node = pcm_node(pcm, capture, proc)
    if not found and node is not None:
        found = holders(node, proc)
    if not found:
        return "another program"
    text = ", ".join(map(str, found))
    if any(holder.name in SOUND_SERVERS for holder in found):
        text += f"; stop it for that user, or use the device {'default' if card_of(pcm) else pcm} through it"
    return text


def _place(pcm: str, proc: Path) -> tuple[int, int] | None:
    """Card index and device number."""
    card = card_of(pcm)
    if card is None:
        return None
    device = re.search(r"DEV=(\d+)", pcm) or re.fullmatch(r"[^,]*,(\d+).*", pcm)
    number = int(device[1]) if device else 0
    if card.isdigit():
        return int(card), number
    # /proc/asound/NAME is a link to cardN.
    target = (proc / "asound" / card).resolve().name
    return (int(target[4:]), number) if re.fullmatch(r"card\d+", target) else None


def _owners(pcm: str, capture: bool, proc: Path) -> list[Holder]:
    place = _place(pcm, proc)
    if place is None:
        return []
    folder = proc / "asound" / f"card{place[0]}" / f"pcm{place[1]}{'c' if capture else 'p'}"
    found = []
    for status in sorted(folder.glob("sub*/status")):
        try:
            owner = re.search(r"owner_pid\s*:\s*(\d+)", status.read_text())
            if owner:
                name = (proc / owner[1] / "comm").read_text().strip()
                found.append(Holder(int(owner[1]), name))
        except OSError:
            continue
    return found
