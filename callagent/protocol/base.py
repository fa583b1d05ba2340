# SPDX-License-Identifier: Apache-2.0
"""The pydantic base of everything on the wire: camelCase there, snake_case here."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

UserId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
DeviceId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]
SessionId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
CallId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f-]{36}$")]
ShortText = Annotated[str, StringConstraints(max_length=500)]


class Wire(BaseModel):
    """Unknown fields are ignored, so that an older side can talk to a newer one."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)

    def wire(self) -> dict[str, object]:
        """The JSON object: camelCase keys, absent where None."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
