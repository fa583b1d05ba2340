# SPDX-License-Identifier: GPL-3.0-or-later
"""Who the agent is, and what it logs in with."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from callagent.config.base import DeviceName, FilePath, Section, Text, UserName, key_error

UserSigText = Annotated[str, StringConstraints(min_length=1, max_length=8192)]
CREDENTIALS = ("device_key_file", "usersig_file", "usersig")


class IdentityConfig(Section):
    """Exactly one of the three credentials."""

    user: UserName | None = None
    """May be left out with a device key, which belongs to one user."""
    device_id: DeviceName | None = None
    """None: a stable hash of /etc/machine-id."""
    model: Text | None = None
    device_key_file: FilePath | None = None
    usersig_file: FilePath | None = None
    usersig: UserSigText | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        given = [name for name in CREDENTIALS if getattr(self, name) is not None]
        if not given:
            raise key_error("", f"one credential is required: {', '.join(CREDENTIALS)}")
        if len(given) > 1:
            raise key_error(given[1], f"only one credential is allowed, and {given[0]} is given already")
        if self.user is None and self.device_key_file is None:
            raise key_error("user", f"is required with {given[0]}")
        return self


class LoginConfig(Section):
    on_kicked: Literal["retry", "stay_down"] = "retry"
    """After another login of this user took over: try again after 60 s, doubling to 15 min, or never."""
