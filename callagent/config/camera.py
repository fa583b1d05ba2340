# SPDX-License-Identifier: GPL-3.0-or-later
"""Which camera, and what picture it is asked for."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from callagent.config.base import Section, Text, key_error


class CameraSelector(Section):
    """Matches a camera when every given pattern (a glob such as `Logitech*`) does."""

    path: Text | None = None
    """A device node such as /dev/v4l/by-id/..., or what `callagent devices` calls it."""
    name: Text | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.model_fields_set:
            raise key_error("", f"needs at least one of {', '.join(type(self).model_fields)}")
        return self


def _as_list(value: Any) -> Any:
    if isinstance(value, dict):
        return [value]
    if isinstance(value, str) and value.startswith("/"):
        return [{"path": value}]
    return value


def _kind(value: Any) -> str:
    return "<selectors>" if isinstance(value, list) else "<name>"


CameraDevice = Annotated[
    Annotated[Literal["auto", "none", "virtual"], Tag("<name>")]
    | Annotated[list[CameraSelector], Field(min_length=1), Tag("<selectors>")],
    Discriminator(_kind),
    BeforeValidator(_as_list),
]
"""`auto`: the first camera found. A list of selectors: the first that matches a camera present."""


class VirtualCameraConfig(Section):
    ident: Annotated[int, Field(ge=0, le=255)] = 1
    """The number in the picture's frame code, to tell several virtual cameras apart."""


class CameraConfig(Section):
    """The nearest the camera can give to this size and rate is used."""

    device: CameraDevice = "auto"
    width: Annotated[int, Field(ge=64, le=7680)] = 640
    height: Annotated[int, Field(ge=48, le=4320)] = 480
    fps: Annotated[int, Field(ge=1, le=60)] = 15
    virtual: VirtualCameraConfig = VirtualCameraConfig()
