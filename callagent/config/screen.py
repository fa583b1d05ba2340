# SPDX-License-Identifier: GPL-3.0-or-later
"""Where remote pictures go, and how the screen stands."""

from typing import Annotated, Literal

from pydantic import WithJsonSchema

from callagent.config.base import FilePath, Section, by_number

_NUMBERS = {0: "portrait", 1: "landscape", 2: "auto"}
"""Of the call kit's setScreenOrientation (reference: callkit-client-api 3.1)."""

ScreenOrientation = Annotated[
    Literal["portrait", "landscape", "auto"],
    by_number(_NUMBERS),
    WithJsonSchema({"enum": ["portrait", "landscape", "auto", *_NUMBERS]}),
]


class VirtualScreenConfig(Section):
    record: FilePath | None = None
    """A file that gets one JSON line for each remote picture with a frame code."""


class ScreenConfig(Section):
    orientation: ScreenOrientation = "auto"
    """`auto`: as the display stands, and as an accelerometer says the box is turned.

    Apart from `camera.rotation` and `video.orientation`. 0, 1 and 2 stand for the three names.
    """
    virtual: VirtualScreenConfig = VirtualScreenConfig()
