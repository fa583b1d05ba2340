# SPDX-License-Identifier: GPL-3.0-or-later
"""What the box's own button does now, from the agent's hints. Pure."""

from collections.abc import Mapping

_WANTED = {
    "idle": ("call ",),
    "ended": ("call ",),
    "incoming": ("answer",),
    "dialing": ("hang up",),
    "connected": ("hang up",),
}
_KEYS = {"answer": "hint_answer", "hang up": "hint_hang_up"}


def button_hint(page: str, buttons: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """A key of the texts and the users it names; empty when no button does what people want on this page.

    `buttons`: `PanelStatus.buttons`, in English. Others than the known hints are not shown: a visitor who
    reads another language would not understand them.
    """
    for wanted in _WANTED.get(page, ()):
        for hint in buttons.values():
            if wanted == "call " and hint.startswith(wanted):
                users = tuple(user.strip() for user in hint.removeprefix(wanted).split(",") if user.strip())
                return ("hint_call", users) if users else ("", ())
            if hint == wanted:
                return _KEYS[hint], ()
    return "", ()
