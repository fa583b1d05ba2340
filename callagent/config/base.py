# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of every configuration section, and the kinds of values several of them share."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

KEY_ERROR = "config_key"
"""Type of the errors `key_error` makes."""
DIRECTORY = "directory"
"""Validation context: the folder relative paths start from."""
FILE = "file"
"""Validation context: the path of the file the values stand in; missing when they stand in none."""


class Section(BaseModel):
    """A mapping of the file: unknown keys are mistakes, values are never guessed at."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @staticmethod
    def _empty_is_default(data: Any) -> Any:
        """A section whose keys are all commented out is a null in YAML."""
        return {} if data is None else data


def key_error(key: str, message: str) -> PydanticCustomError:
    """A mistake that concerns `key` of the section being checked, found by comparing several keys."""
    return PydanticCustomError(KEY_ERROR, "{text}", {"key": key, "text": message})


def _plain_number_is_text(value: Any) -> Any:
    # A user called 1001 or a serial number of digits need no quotes; the reader keeps leading zeros.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _switch(value: Any) -> Any:
    return (
        {"on": True, "yes": True, "off": False, "no": False}.get(value, value)
        if isinstance(value, str)
        else value
    )


def _path(value: Any, info: ValidationInfo) -> Any:
    value = _plain_number_is_text(value)
    if not isinstance(value, str):
        return value
    if not value or "\0" in value:
        raise ValueError("must be the path of a file")
    try:
        path = Path(value).expanduser()
    except RuntimeError as error:
        raise ValueError("names a home directory that does not exist") from error
    directory = (info.context or {}).get(DIRECTORY)
    return path if directory is None else directory / path


def by_number(names: Mapping[int, str]) -> BeforeValidator:
    """Lets the enum numbers of the call kit's clients stand for names."""

    def named(value: Any) -> Any:
        numbered = isinstance(value, int) and not isinstance(value, bool)
        return names.get(value, value) if numbered else value

    return BeforeValidator(named)


Text = Annotated[str, StringConstraints(min_length=1, max_length=500), BeforeValidator(_plain_number_is_text)]
UserName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,32}$"),
    Field(description="a user id: 1 to 32 letters, digits, _ or -"),
    BeforeValidator(_plain_number_is_text),
]
"""As `protocol.base.UserId`."""
DeviceName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,64}$"),
    Field(description="a device id: 1 to 64 letters, digits, dots, _, : or -"),
    BeforeValidator(_plain_number_is_text),
]
"""As `protocol.base.DeviceId`."""
Switch = Annotated[
    bool, BeforeValidator(_switch), WithJsonSchema({"enum": [True, False, "on", "off", "yes", "no"]})
]
"""true or false; on, off, yes and no are understood too."""
FilePath = Annotated[Path, BeforeValidator(_path), WithJsonSchema({"type": "string"})]
"""Absolute after loading: relative to the configuration file's folder, `~` expanded."""
