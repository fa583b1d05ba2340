# SPDX-License-Identifier: GPL-3.0-or-later
"""What people in front of the kiosk see, and how the screen stands."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

from callagent.config.base import FilePath, Section, Switch, UserName, by_number

_NUMBERS = {0: "portrait", 1: "landscape", 2: "auto"}
"""Of the call kit's setScreenOrientation (reference: callkit-client-api 3.1)."""

ScreenOrientation = Annotated[
    Literal["portrait", "landscape", "auto"],
    by_number(_NUMBERS),
    WithJsonSchema({"enum": ["portrait", "landscape", "auto", *_NUMBERS]}),
]


_LANGUAGES = Path(__file__).parents[1] / "screen" / "i18n"
"""One file for each language the screen speaks."""


def _spoken(language: str) -> str:
    known = sorted(path.stem for path in _LANGUAGES.glob("*.yaml"))
    if language not in known:
        raise ValueError(f"must be one of {', '.join(known)}")
    return language


Language = Annotated[str, AfterValidator(_spoken)]
ShortText = Annotated[str, StringConstraints(max_length=80)]
Fill = Literal["contain", "cover", "fill"]
HiddenControl = Literal[
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
"""What ends a state (answer, reject, hang up) cannot be hidden; `touch: false` draws no controls at all."""


class ContactConfig(Section):
    """Somebody a touch calls."""

    name: ShortText
    users: Annotated[list[UserName], Field(min_length=1)]
    """All of them ring."""
    picture: FilePath | None = None


class VirtualScreenConfig(Section):
    record: FilePath | None = None
    """A file that gets one JSON line for each remote picture with a frame code."""


class ScreenConfig(Section):
    orientation: ScreenOrientation = "auto"
    """`auto`: as the display stands, and as an accelerometer says the box is turned.

    Apart from `camera.rotation` and `video.orientation`. 0, 1 and 2 stand for the three names.
    """
    turn: Literal["auto", 0, 90, 180, 270] = "auto"
    """Degrees clockwise the page is turned. `auto`: a quarter where `orientation` and the display differ."""
    place: ShortText = ""
    """Where the visitor is, in large letters."""
    language: Language = "en"
    theme: Literal["dark", "light"] = "dark"
    background: FilePath | None = None
    watermark: ShortText = ""
    clock: Switch = True
    touch: Switch = True
    contacts: list[ContactConfig] = []
    """Empty: whom the box's buttons call."""
    hide: list[HiddenControl] = []
    incoming: Literal["full", "banner"] = "full"
    layout: Literal["auto", "grid", "focus", "vertical", "free"] = "auto"
    """`auto`: two are a large and a small picture, more a grid."""
    own_picture: Literal["small", "large", "none"] = "small"
    mirror: Switch = True
    fill: Fill = "cover"
    fill_of: dict[UserName, Fill] = {}
    animations: Switch = True
    sleep_after_s: Annotated[float, Field(ge=0, le=86400)] = 0.0
    """The display is switched off after so long without a touch or a call; 0: never."""
    platform: Literal["auto", "wayland", "linuxfb", "eglfs", "xcb", "offscreen"] = "auto"
    renderer: Literal["auto", "software", "gpu"] = "auto"
    virtual: VirtualScreenConfig = VirtualScreenConfig()
