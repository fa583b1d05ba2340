# SPDX-License-Identifier: Apache-2.0
"""What one side of a call asks the other side's device to do, relayed by the service at once or not at all:
a door that opens late is worse than one that stays shut."""

from typing import Annotated

from pydantic import Field, StringConstraints

from callagent.protocol.base import CallId, ShortText, Wire

OPEN_DOOR = "openDoor"
ANSWER_TIMEOUT_S = 10.0
"""How long the asking side waits for the answer."""

CommandId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
"""Of the asking side's making; the same one is carried out once."""
CommandName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z]{1,32}$")]


class Command(Wire):
    call_id: CallId
    command_id: CommandId
    command: CommandName


class CommandAnswer(Wire):
    call_id: CallId
    command_id: CommandId
    code: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] = 0
    """As of a reply; 0 when it was done."""
    message: ShortText = ""
