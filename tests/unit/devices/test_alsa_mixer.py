# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of a card's controls are set, on elements that answer as pyalsaaudio's do. Real cards: tests/lab."""

from typing import Any

import alsaaudio
import pytest

from callagent.devices import alsa_mixer
from callagent.devices.alsa_mixer import QUIET_DEFAULT, card_of, prepare
from callagent.devices.settings import SoundSettings


class Element:
    """One control; `volumes` by direction, None where it has none."""

    def __init__(self, name: str, **volumes: int) -> None:
        self.name, self.volumes = name, volumes
        self.muted = True
        self.recording = False
        self.choice = 0

    def mixer(self) -> str:
        return self.name

    def cardname(self) -> str:
        return "Test card"

    def volumecap(self) -> list[str]:
        return [f"{direction.capitalize()} Volume" for direction in self.volumes]

    def switchcap(self) -> list[str]:
        return [f"{direction.capitalize()} Mute" for direction in self.volumes]

    def getvolume(self, direction: int) -> list[int]:
        return [self.volumes[_word(direction)]]

    def setvolume(self, level: int, _: int, direction: int) -> None:
        if self.name == "Broken":
            raise alsaaudio.ALSAAudioError("Input/output error")
        self.volumes[_word(direction)] = level

    def setmute(self, muted: int) -> None:
        self.muted = bool(muted)

    def setrec(self, on: int) -> None:
        self.recording = bool(on)

    def getenum(self) -> tuple[str, list[str]]:
        return ("Mic", ["Mic", "Line"])

    def setenum(self, index: int) -> None:
        self.choice = index


def _word(direction: int) -> str:
    return "playback" if direction == alsaaudio.PCM_PLAYBACK else "capture"


def card(monkeypatch: pytest.MonkeyPatch, *elements: Element) -> None:
    monkeypatch.setattr(alsa_mixer, "_elements", lambda _: iter(elements))


def test_what_sound_passes_through_is_set_and_monitors_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    master, headphone, sidetone = (
        Element("Master", playback=20),
        Element("Headphone", playback=0),
        Element("Mic", playback=0, capture=30),
    )
    card(monkeypatch, master, headphone, sidetone)
    assert prepare("hw:CARD=PCH,DEV=0", "playback", SoundSettings(level=75)) == []
    assert (master.volumes, headphone.volumes) == ({"playback": 75}, {"playback": 75})
    assert not master.muted
    assert sidetone.volumes == {"playback": 0, "capture": 30}
    assert sidetone.muted, "it would play the microphone into the room"

    assert prepare("plughw:0,0", "capture", SoundSettings(level=60)) == []
    assert sidetone.volumes == {"playback": 0, "capture": 60}
    assert sidetone.recording


def test_without_a_level_only_a_control_at_nothing_is_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    loud, silent = Element("Speaker", playback=40), Element("PCM", playback=0)
    card(monkeypatch, loud, silent)
    (told,) = prepare("hw:0", "playback", SoundSettings())
    assert told == f"Test card: PCM stood at nothing and was set to {QUIET_DEFAULT} %"
    assert (loud.volumes["playback"], silent.volumes["playback"]) == (40, QUIET_DEFAULT)


def test_a_card_with_names_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = Element("Jabra Out", playback=10)
    card(monkeypatch, odd)
    assert prepare("hw:0", "playback", SoundSettings(level=50)) == []
    assert odd.volumes == {"playback": 50}


def test_what_cannot_be_set_is_told_and_the_rest_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    good, source, broken = Element("PCM", playback=10), Element("Source"), Element("Broken", playback=10)
    card(monkeypatch, good, source, broken)
    controls: dict[str, Any] = {"PCM": 30, "Source": "Line", "Broken": 5, "Missing": True}
    assert prepare("hw:0", "playback", SoundSettings(50, controls)) == [
        "0: Broken does not take 5: Input/output error",
        "0 has no control Missing; it has: Broken, PCM, Source",
    ]
    assert good.volumes == {"playback": 30}, "a control by name wins over the level"
    assert source.choice == 1


def test_an_enumeration_takes_its_own_words_only(monkeypatch: pytest.MonkeyPatch) -> None:
    card(monkeypatch, Element("Source"))
    (complaint,) = prepare("hw:0", "capture", SoundSettings(None, {"Source": "Aux"}))
    assert complaint == "0: Source takes one of Mic, Line, not Aux"


def test_a_card_that_is_gone_is_told() -> None:
    (complaint,) = prepare("hw:CARD=Nowhere,DEV=0", "playback", SoundSettings())
    assert complaint.startswith("The mixer of Nowhere cannot be read: ")


@pytest.mark.parametrize(
    ("pcm", "name"),
    [
        ("hw:CARD=C920,DEV=0", "C920"),
        ("plughw:1,0", "1"),
        ("hw:PCH", "PCH"),
        ("default", None),
        ("dmix", None),
    ],
)
def test_the_card_in_a_pcms_name(pcm: str, name: str | None) -> None:
    assert card_of(pcm) == name
