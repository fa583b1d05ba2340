# SPDX-License-Identifier: GPL-3.0-or-later
"""A card's own mixer: unmuted and set to its level each time the card is opened, by pyalsaaudio.

A card that comes back after a plug comes with the driver's defaults: muted, or at full; others then set it
up at the same moment (see `settling`). Levels are per
cent of the control's raw range, as `amixer sset NAME 70%` sets them. Each access may take a USB card that
hangs five seconds: for worker threads.
"""

import logging
import re
from collections.abc import Iterator
from typing import Literal

import alsaaudio

from callagent.devices.settings import SoundSettings

log = logging.getLogger(__name__)

Direction = Literal["playback", "capture"]

QUIET_DEFAULT = 70
"""Per cent given to a control that stands at nothing when no level is configured."""
_PLAYBACK = re.compile(
    r"(Master|PCM|Speaker|Headphone|Headset|Line ?Out|Front|Digital|HDMI|DAC|Playback)\b", re.IGNORECASE
)
_CAPTURE = re.compile(
    r"(Capture|Mic|Headset Mic|Internal Mic|Front Mic|Line In|Digital|ADC)\b", re.IGNORECASE
)
_MONITORS = re.compile(r"(Mic|Sidetone|Loopback|Beep|Boost)", re.IGNORECASE)
"""Playback controls that must stay as they are: they play the microphone into the room."""


def card_of(pcm: str) -> str | None:
    """The card's name in `hw:CARD=Device,DEV=0`, `plughw:1,0` or `hw:Device`; None for `default` and such."""
    match = re.fullmatch(r"(?:plug)?hw:(?:CARD=)?([^,]+)(?:,.*)?", pcm)
    return match[1] if match else None


def prepare(pcm: str, direction: Direction, settings: SoundSettings) -> list[str]:
    """Unmute, set the level and the further controls; returns complaints, one sentence each."""
    card = card_of(pcm)
    if card is None:
        return []
    try:
        elements = list(_elements(card))
    except alsaaudio.ALSAAudioError as error:
        return [f"The mixer of {card} cannot be read: {error}"]
    complaints = []
    for element in _relevant(elements, direction):
        try:
            complaints += _unmute(element, direction, settings.level)
        except alsaaudio.ALSAAudioError as error:
            complaints.append(f"{card}: {element.mixer()} cannot be set: {error}")
    for name, value in settings.controls.items():
        complaints += _set_control(card, elements, name, value, direction)
    return complaints


def _elements(card: str) -> Iterator["alsaaudio.Mixer"]:
    names = alsaaudio.mixers(device=f"hw:{card}")
    for position, name in enumerate(names):
        yield alsaaudio.Mixer(name, id=names[:position].count(name), device=f"hw:{card}")


def _relevant(elements: list["alsaaudio.Mixer"], direction: Direction) -> list["alsaaudio.Mixer"]:
    """The controls sound passes through; all that fit the direction on a card with names of its own."""
    fitting = [element for element in elements if _has(element, direction)]
    pattern = _PLAYBACK if direction == "playback" else _CAPTURE
    known = [element for element in fitting if pattern.match(element.mixer())]
    chosen = known or fitting
    if direction == "playback":
        chosen = [element for element in chosen if not _MONITORS.match(element.mixer())]
    return chosen


def _has(element: "alsaaudio.Mixer", direction: Direction) -> bool:
    word = direction.capitalize()
    return any(word in text for text in (*element.volumecap(), *element.switchcap()))


def _unmute(element: "alsaaudio.Mixer", direction: Direction, level: int | None) -> list[str]:
    playback = direction == "playback"
    pcm = alsaaudio.PCM_PLAYBACK if playback else alsaaudio.PCM_CAPTURE
    word = direction.capitalize()
    if any(word in text for text in element.switchcap()):
        element.setmute(0) if playback else element.setrec(1)
    if not any(word in text for text in element.volumecap()):
        return []
    if level is not None:
        element.setvolume(level, alsaaudio.MIXER_CHANNEL_ALL, pcm)
        return []
    if max(element.getvolume(pcm), default=0) > 0:
        return []
    element.setvolume(QUIET_DEFAULT, alsaaudio.MIXER_CHANNEL_ALL, pcm)
    return [f"{element.cardname()}: {element.mixer()} stood at nothing and was set to {QUIET_DEFAULT} %"]


def _set_control(
    card: str, elements: list["alsaaudio.Mixer"], name: str, value: int | str | bool, direction: Direction
) -> list[str]:
    element = next((each for each in elements if each.mixer() == name), None)
    if element is None:
        known = ", ".join(sorted({each.mixer() for each in elements})) or "none"
        return [f"{card} has no control {name}; it has: {known}"]
    playback = direction == "playback"
    try:
        if isinstance(value, bool):
            element.setmute(not value) if playback else element.setrec(value)
        elif isinstance(value, int):
            pcm = alsaaudio.PCM_PLAYBACK if playback else alsaaudio.PCM_CAPTURE
            element.setvolume(value, alsaaudio.MIXER_CHANNEL_ALL, pcm)
        else:
            _, items = element.getenum()
            if value not in items:
                return [f"{card}: {name} takes one of {', '.join(items)}, not {value}"]
            element.setenum(items.index(value))
    except (alsaaudio.ALSAAudioError, ValueError) as error:
        return [f"{card}: {name} does not take {value}: {error}"]
    return []
