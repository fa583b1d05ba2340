# SPDX-License-Identifier: GPL-3.0-or-later
"""Which camera, and what picture it is asked for."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from callagent.config.base import Section, Switch, Text
from callagent.config.selectors import DeviceSelector, Selectors, as_selector_list

CameraFormat = Literal["H264", "MJPEG", "NV12", "YUYV", "I420"]
ControlValue = Annotated[bool | int | Text, Field(union_mode="left_to_right")]
"""A number, true or false, or the name of a menu item."""
Controls = dict[Text, ControlValue]


def _kind(value: Any) -> str:
    return "<selectors>" if isinstance(value, list) else "<name>"


CameraDevice = Annotated[
    Annotated[Literal["auto", "none", "virtual"], Tag("<name>")]
    | Annotated[list[DeviceSelector], Field(min_length=1), Tag("<selectors>")],
    Discriminator(_kind),
    BeforeValidator(as_selector_list),
]
"""`auto`: the first camera found. A list of selectors: the best one present."""


class VirtualCameraConfig(Section):
    ident: Annotated[int, Field(ge=0, le=255)] = 1
    """The number in the picture's frame code, to tell several virtual cameras apart."""


class CameraConfig(Section):
    """The nearest the camera can give to this size and rate is used."""

    device: CameraDevice = "auto"
    follow: Switch = True
    """Whether a better camera that comes (back) takes over from the present one, in a call too."""
    front: Selectors | None = None
    """The camera towards the visitor, for `callagent camera front`; None: that of `device`."""
    back: Selectors | None = None
    """The other camera, for `callagent camera back`."""
    width: Annotated[int, Field(ge=64, le=7680)] = 640
    height: Annotated[int, Field(ge=48, le=4320)] = 480
    fps: Annotated[int, Field(ge=1, le=60)] = 15
    formats: list[CameraFormat] = []
    """Formats to ask for, in order; empty: as camera, USB and CPU suggest."""
    controls: Controls = {}
    """V4L2 controls set each time the camera is opened; `callagent camera controls` lists them."""
    rotation: Literal[0, 90, 180, 270] = 0
    """Degrees clockwise that turn the camera's picture upright."""
    warm: Literal["ringing", "never"] = "never"
    """`ringing`: opened while it rings, so that the answer shows a picture at once; nothing is sent."""
    virtual: VirtualCameraConfig = VirtualCameraConfig()
