# SPDX-License-Identifier: Apache-2.0
"""Takes one thing out of what goes over the wire, so that the test which proves it can be seen to fail.

For tests only (`python -m tests.without_row`): `CALLAGENT_TAKEN_OUT=event:onCallEnd` in the environment, or
`take_out`. What can be taken out:

| `event:NAME`, `event:NAME.path.of.field` | an event is not sent; a field of it is missing |
| `request:TYPE`, `request:TYPE.path` | a request is unknown; a field of it is overlooked |
| `reply:TYPE.path` | a field of the reply to that request is missing |
| `code:NUMBER`, `rest-code:NUMBER` | a failure has another number |
| `rest:COMMAND`, `rest:COMMAND.path`, `ask:COMMAND.path` | a REST command, a field of its reply, its body |
| `callback:NAME`, `callback:NAME.path`, `callback-url:NAME` | a callback, a field of its body, of its URL |
| `value:KEY=VALUE` | wherever that key has that value it has another |

`rest:*.path` means every command. When nothing is taken out each place costs one comparison.
"""

import os
from typing import Any

VARIABLE = "CALLAGENT_TAKEN_OUT"

_out = os.environ.get(VARIABLE, "")


def take_out(what: str) -> None:
    """From now on, in this process and those it starts; "" puts everything back."""
    global _out
    _out = what
    os.environ[VARIABLE] = what


def anything() -> bool:
    return _out != ""


def gone(kind: str, name: str) -> bool:
    """Whether this very thing is taken out."""
    return _out != "" and _out == f"{kind}:{name}"


def pruned(kind: str, name: str, data: dict[str, Any]) -> dict[str, Any]:
    """`data` without the field that is taken out of it; lists on the way there lose it in every element."""
    if not _out:
        return data
    for known_as in (name, "*"):
        prefix = f"{kind}:{known_as}."
        if _out.startswith(prefix):
            kept: dict[str, Any] = _without(data, _out.removeprefix(prefix).split("."))
            return kept
    return data


def code(number: int) -> int:
    """The number a failure is told by."""
    return _other(number) if _out == f"code:{number}" else number


def rest_code(number: int) -> int:
    return _other(number) if _out == f"rest-code:{number}" else number


def replaced(data: Any) -> Any:
    """JSON with the value that is taken out replaced by another of its type."""
    if not _out.startswith("value:"):
        return data
    key, _, value = _out.removeprefix("value:").partition("=")
    return _replaced(data, key, value)


def sent(message: dict[str, Any]) -> dict[str, Any]:
    """A message on its way to a client: fields, values and numbers."""
    if not _out:
        return message
    if message.get("type") == "event":
        message = message | {"data": pruned("event", message["event"], message["data"])}
    elif isinstance(message.get("code"), int):
        message = message | {"code": code(message["code"])}
    found: dict[str, Any] = replaced(message)
    return found


def _without(data: Any, path: list[str]) -> Any:
    if isinstance(data, list):
        return [_without(each, path) for each in data]
    if not isinstance(data, dict) or path[0] not in data:
        return data
    if len(path) == 1:
        return {key: value for key, value in data.items() if key != path[0]}
    return data | {path[0]: _without(data[path[0]], path[1:])}


def _replaced(data: Any, key: str, value: str) -> Any:
    if isinstance(data, list):
        return [_replaced(each, key, value) for each in data]
    if not isinstance(data, dict):
        return data
    return {
        name: (type(held)() if name == key and str(held) == value else _replaced(held, key, value))
        for name, held in data.items()
    }


def _other(number: int) -> int:
    """A number that is known, so that it can be told, and is another."""
    return 101002 if number == 101001 else 101001
