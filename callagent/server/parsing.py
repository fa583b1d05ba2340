# SPDX-License-Identifier: GPL-3.0-or-later
"""From a text frame to a checked request, or to the typed error that answers it."""

import json
from typing import Any, NoReturn

from pydantic import ValidationError

from callagent.protocol import taken_out
from callagent.protocol.base import Wire
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.requests import (
    MAX_MESSAGE_BYTES,
    REQUEST_TYPES,
    AnyRequest,
    Calls,
    ProtocolError,
    Reply,
)

MAX_ID = 2**53

_WRONG_SHAPE = ("missing", "_type", "_parsing")
"""Pydantic's error kinds for what is absent or of another type, as against a wrong value."""
_UNIONS = frozenset({"roomId"})
"""Fields of several types: what pydantic names below them is no part of the message."""


class BadMessage(Exception):
    """A frame that is no request; `answer` goes back to the sender."""

    def __init__(self, answer: Wire) -> None:
        super().__init__()
        self.answer = answer


def parse(text: str) -> tuple[AnyRequest, str]:
    """The request, and what it says apart from its id. Raises BadMessage."""
    if len(text) > MAX_MESSAGE_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_MESSAGE_BYTES:
        _refuse(None, ErrorCode.MESSAGE_TOO_LARGE, f"A message has at most {MAX_MESSAGE_BYTES} bytes")
    try:
        message = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        _refuse(None, ErrorCode.MALFORMED_MESSAGE, "Not a JSON text")
    if not isinstance(message, dict):
        _refuse(None, ErrorCode.MALFORMED_MESSAGE, "Not a JSON object")
    request_id = _usable_id(message.get("id"))
    name = message.get("type")
    if not isinstance(name, str):
        _refuse(request_id, ErrorCode.MALFORMED_MESSAGE, "The type is missing or not a string", "type")
    model = REQUEST_TYPES.get(name)
    if model is None or taken_out.gone("request", name):
        _refuse(request_id, ErrorCode.UNKNOWN_MESSAGE_TYPE, "This message type is unknown", "type")
    if request_id is None:
        _refuse(None, ErrorCode.MALFORMED_MESSAGE, f"The id must be an integer from 1 to {MAX_ID}", "id")
    try:
        request = model.model_validate(taken_out.pruned("request", name, message))
    except (ValidationError, RecursionError) as error:
        _refuse(request_id, *_explained(model, error))
    del message["id"]
    return request, json.dumps(message, sort_keys=True)


def failure(request_id: int, error: CallAgentError) -> Reply:
    """The reply that carries an error."""
    return Reply(id=request_id, code=error.code, message=error.message, field=error.field)


def _refuse(request_id: int | None, code: ErrorCode, message: str, field: str | None = None) -> NoReturn:
    if request_id is None:
        raise BadMessage(ProtocolError(code=code, message=message, field=field))
    raise BadMessage(Reply(id=request_id, code=code, message=message, field=field))


def _usable_id(value: Any) -> int | None:
    usable = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_ID
    return value if usable else None


def _explained(
    model: type[AnyRequest], error: ValidationError | RecursionError
) -> tuple[ErrorCode, str, str | None]:
    if isinstance(error, RecursionError):
        return ErrorCode.MALFORMED_MESSAGE, "Nested too deeply", None
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    # A union has an error for each of its types: the one whose type fits names the wrong value.
    of_field = [one for one in errors if one["loc"][:1] == errors[0]["loc"][:1]]
    values = [one for one in of_field if not one["type"].endswith(_WRONG_SHAPE)]
    first = values[0] if values and values[0]["loc"][0] in _UNIONS else errors[0]
    wrong_value = model is Calls and not first["type"].endswith(_WRONG_SHAPE)
    code = ErrorCode.PARAM_INVALID if wrong_value else ErrorCode.MALFORMED_MESSAGE
    return code, first["msg"], _path(first["loc"])


def _path(location: tuple[int | str, ...]) -> str:
    if location and location[0] in _UNIONS:
        location = location[:1]
    return ".".join(str(part) for part in location)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
