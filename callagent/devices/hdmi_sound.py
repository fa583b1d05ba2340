# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the display at an HDMI or DisplayPort output takes sound.

Drivers tell in two controls of the card, for each PCM: the jack `HDMI/DP,pcm=3 Jack` (sound/pci/hda,
sound/soc) and `ELD`, the display's own description as bytes (kernel: include/drm/drm_eld.h). HDA drivers have
both, most of the ARM ones (sound/soc/codecs/hdmi-codec.c) an ELD, and one jack for the card. The files
/proc/asound/card*/eld* tell the same of HDA cards alone, and not for which PCM.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from callagent.devices.alsa_control import IFACE_CARD, IFACE_PCM, ControlNode, Element

_JACK = re.compile(r"HDMI/DP, ?pcm=(\d+) Jack")
_ONLY_JACK = re.compile(r"(?:.*\W)?(?:HDMI|DP|DisplayPort)\b.* ?Jack")
_ELD = "ELD"
_CEA_861D = 2
_PARTIAL = 31


@dataclass(frozen=True, slots=True)
class Output:
    """The controls of one PCM; None: the driver has none."""

    jack: Element | None = None
    eld: Element | None = None


def outputs_of(elements: Iterable[Element]) -> dict[int, Output]:
    """By PCM number; a jack without a number counts where the card has one output."""
    jacks: dict[int, Element] = {}
    elds: dict[int, Element] = {}
    numberless: list[Element] = []
    for element in elements:
        numbered = _JACK.fullmatch(element.name)
        if element.iface == IFACE_PCM and element.name == _ELD:
            elds.setdefault(element.device, element)
        elif element.iface == IFACE_CARD and numbered:
            jacks.setdefault(int(numbered[1]), element)
        elif element.iface == IFACE_CARD and _ONLY_JACK.fullmatch(element.name):
            numberless.append(element)
    if not jacks and len(numberless) == len(elds) == 1:
        jacks = dict.fromkeys(elds, numberless[0])
    return {
        number: Output(jacks.get(number), elds.get(number)) for number in sorted(jacks.keys() | elds.keys())
    }


def has_sink(output: Output, node: ControlNode) -> bool:
    """Raises OSError."""
    jack = None if output.jack is None else node.boolean(output.jack)
    return takes_sound(jack, None if output.eld is None else node.data(output.eld))


def takes_sound(jack: bool | None, eld: bytes | None) -> bool:
    """`jack`: whether a display is connected; `eld`: how it describes itself; None: the driver does not tell.

    A display without speakers says so by an ELD without a single sound format. An ELD that makes no sense
    counts for nothing beside a jack, as old drivers have it.
    """
    if jack is False:
        return False
    if eld is None:
        return True
    if len(eld) < 6 or eld[0] >> 3 not in (_CEA_861D, _PARTIAL):
        return jack is True
    return eld[5] >> 4 > 0
