# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the devices that come and go is meant."""

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from callagent.config.base import Section, Text, key_error


class DeviceSelector(Section):
    """Matches a device when every given pattern does: globs such as `Logitech*`, capitals or not.

    `callagent devices` prints for each device present the lines to paste.
    """

    serial: Text | None = None
    """The device's own serial number."""
    port: Text | None = None
    """Where it is plugged in (udev's ID_PATH): tells two devices with equal serial numbers apart."""
    path: Text | None = None
    """A device node or a link to one such as /dev/v4l/by-id/..., or an ALSA name."""
    vendor: Text | None = None
    """The maker's name, or the vendor's number of four hexadecimal digits."""
    model: Text | None = None
    """The model's name, or its number of four hexadecimal digits."""
    bus: Text | None = None
    """usb, pci, platform, ..."""
    name: Text | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.model_fields_set:
            raise key_error("", f"needs at least one of {', '.join(type(self).model_fields)}")
        return self

    @property
    def patterns(self) -> dict[str, str]:
        """The given patterns by name."""
        return {key: value for key, value in self if value is not None}


def as_selector_list(value: Any) -> Any:
    """One selector needs no list; a path alone is one too."""
    if isinstance(value, dict):
        return [value]
    if isinstance(value, str) and value.startswith("/"):
        return [{"path": value}]
    return value


Selectors = Annotated[list[DeviceSelector], Field(min_length=1), BeforeValidator(as_selector_list)]
"""In order of preference."""
