# SPDX-License-Identifier: GPL-3.0-or-later
"""Encoders by name, in an order of preference; of the configuration and of hardware profiles."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, WithJsonSchema

from callagent.config.base import Section, Text, key_error

_Name = Literal[
    "camera",
    "h264_v4l2m2m",
    "h264_nvenc",
    "h264_qsv",
    "h264_amf",
    "v4l2h264enc",
    "vah264enc",
    "vaapih264enc",
    "mpph264enc",
    "nvv4l2h264enc",
    "x264enc",
    "libx264",
    "libvpx",
]
_SHORT = {name: f"h264_{name}" for name in ("v4l2m2m", "nvenc", "qsv", "amf")}
EncoderName = Annotated[
    _Name,
    BeforeValidator(lambda value: _SHORT.get(value, value) if isinstance(value, str) else value),
    WithJsonSchema({"enum": [*get_args(_Name), *_SHORT]}),
]
"""`camera`: what the camera has encoded itself. Then FFmpeg's, GStreamer's (`...enc`) and the libraries'.

FFmpeg's may be written without `h264_`.
"""


class EncoderChoice(Section):
    name: EncoderName
    options: dict[Text, Annotated[bool | int | Text, Field(union_mode="left_to_right")]] = {}
    """Handed to the encoder as they are: FFmpeg's options, GStreamer's properties."""


def _name_alone(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


Encoder = Annotated[EncoderChoice, BeforeValidator(_name_alone)]
"""A name, or `{name: ..., options: {...}}`."""


def named_once(encoders: Sequence[EncoderChoice]) -> None:
    """For the section's own check of its key `encoders`."""
    names = [encoder.name for encoder in encoders]
    if len(set(names)) < len(names):
        raise key_error("encoders", "names an encoder twice")
