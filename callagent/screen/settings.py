# SPDX-License-Identifier: GPL-3.0-or-later
"""How a site wants its screen, whatever file that was written in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

LayoutName = Literal["auto", "grid", "focus", "vertical", "free"]
Turn = Literal["auto", 0, 90, 180, 270]
Fill = Literal["contain", "cover", "fill"]
ControlName = Literal[
    "contacts",
    "microphone",
    "camera",
    "switch_camera",
    "volume",
    "voice",
    "invite",
    "privacy",
    "swap",
    "layout",
]
"""What a site may leave out. Those that end a state (answer, reject, hang up) are not among them."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody a touch calls, and how they are shown."""

    name: str
    users: tuple[str, ...]
    picture: str = ""
    """Path of an image file."""


@dataclass(frozen=True, slots=True)
class ScreenSettings:
    place: str = ""
    language: str = "en"
    theme: Literal["dark", "light"] = "dark"
    turn: Turn = "auto"
    """Degrees clockwise the page is turned. auto: a quarter when the agent's orientation asks for it."""
    contacts: tuple[Contact, ...] = ()
    incoming: Literal["full", "banner"] = "full"
    touch: bool = True
    """False: nothing on the screen can be pressed, so no controls are drawn."""
    hidden: frozenset[ControlName] = frozenset()
    background: str = ""
    watermark: str = ""
    layout: LayoutName = "auto"
    own_picture: Literal["small", "large", "none"] = "small"
    """In a call of two: who is in the small window."""
    mirror: bool = True
    """The own picture as in a mirror."""
    fill: Fill = "cover"
    fill_of: Mapping[str, Fill] | None = None
    """By user id."""
    clock: bool = True
    animations: bool = True
    two_cameras: bool = False
    """There is a front and a back camera to switch between."""
    sleep_after_s: float = 0.0
    """The display is switched off so long after the last thing happened; 0: never."""

    def name_of(self, user_id: str) -> str:
        """What this site calls a user; empty where it does not say."""
        return next((each.name for each in self.contacts if each.users == (user_id,)), "")

    def picture_of(self, user_id: str) -> str:
        return next((each.picture for each in self.contacts if each.users == (user_id,)), "")
