# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is shown to what stands on the page: keys put into words, people given initials and colours.

Plain lists and dicts, as QML takes them. Pure: texts and digits are handed in.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from callagent.screen.settings import ScreenSettings
from callagent.screen.state import Page, Person, Shown
from callagent.screen.texts import Texts
from callagent.screen.theme import avatar_colour, initials

NOTICES = 2
"""At once; the most important first."""
_OFF_LABELS = frozenset({"microphone", "camera", "privacy"})

Digits = Callable[[str], str]
"""Puts 0 to 9 into the digits of the language."""


def title_of(shown: Shown, texts: Texts, digits: Digits) -> str:
    """Whom the page is about."""
    names = [person.name for person in shown.people]
    if len(names) <= 2:
        return " · ".join(names)
    return texts.say("and_more", name=names[0], count=digits(str(len(names) - 1)))


def subtitle_of(shown: Shown, texts: Texts) -> str:
    """What goes on, in a few words."""
    match shown.page:
        case Page.STARTING:
            return texts.say("starting")
        case Page.DIALING:
            return texts.say("dialing")
        case Page.INCOMING:
            return texts.say("incoming_video" if shown.video else "incoming_audio")
        case Page.ENDED:
            return texts.say(shown.ended_key or "ended")
        case _:
            return ""


def controls_in_words(shown: Shown, texts: Texts) -> list[dict[str, Any]]:
    return [
        {
            "name": control.name,
            "kind": control.kind,
            "label": texts.say(
                f"control_{control.name}_off"
                if control.kind == "off" and control.name in _OFF_LABELS
                else f"control_{control.name}"
            ),
        }
        for control in shown.controls
    ]


def notices_in_words(shown: Shown, texts: Texts) -> list[dict[str, str]]:
    if shown.page is Page.STARTING:
        return []
    names = {person.user_id: person.name for person in shown.people}
    return [
        {"text": texts.say(each.key, name=names.get(each.who, each.who)), "weight": each.weight}
        for each in shown.notices[:NOTICES]
    ]


def hint_in_words(shown: Shown, texts: Texts) -> str:
    return texts.say(shown.hint, name=", ".join(shown.hint_who)) if shown.hint else ""


def people_in_words(people: Sequence[Person], texts: Texts) -> list[dict[str, str]]:
    return [
        face(person.user_id, person.name, person.picture)
        | {"outcome": texts.say(f"outcome_{person.outcome}") if person.outcome else ""}
        for person in people
    ]


def contacts_in_words(settings: ScreenSettings) -> list[dict[str, str]]:
    return [face(contact.users[0], contact.name, contact.picture) for contact in settings.contacts]


def face(user_id: str, name: str, picture: str) -> dict[str, str]:
    """What stands for somebody: a picture, or initials on a colour."""
    return {
        "name": name,
        "initials": initials(name),
        "colour": avatar_colour(user_id),
        "picture": address(picture),
    }


def address(path: str) -> str:
    """Of a file, for QML; empty for none."""
    return Path(path).absolute().as_uri() if path else ""


def span(seconds: float) -> str:
    """How long a call has lasted: 0:07, 12:34, 1:02:03."""
    minutes, second = divmod(max(0, int(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
