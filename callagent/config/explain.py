# SPDX-License-Identifier: GPL-3.0-or-later
"""pydantic's errors, in words for whoever wrote the file, at the place where they stand."""

from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from callagent.config.base import KEY_ERROR, Section
from callagent.config.problems import ConfigProblem, Position
from callagent.config.schema import JsonSchema, allowed_at, json_schema
from callagent.config.yaml_source import Document, KeyPath

_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "on or off",
    "array": "a list",
    "object": "a mapping of keys to values",
}


_schema = cache(json_schema)


def explain(error: ValidationError, document: Document, model: type[Section]) -> Iterator[ConfigProblem]:
    """One problem per mistake pydantic found in the document's data."""
    schema = _schema(model)
    for details in error.errors(include_url=False):
        path, location = _written_path(details, document), details["loc"]
        if details["type"] == "extra_forbidden":
            position, message = document.keys[path], _unknown_key(path, allowed_at(schema, location[:-1]))
        else:
            secret = ".".join(part for part in path if isinstance(part, str)) in _secrets(model)
            position = _where(path, document)
            message = _message(details, allowed_at(schema, location), secret)
        yield ConfigProblem(document.file, message, position, ".".join(map(str, path)))


@cache
def _secrets(model: type[Section]) -> frozenset[str]:
    """Paths, without the numbers of lists, of values that messages do not repeat: those no `repr` shows."""
    return frozenset(_hidden(model))


def _hidden(annotation: Any) -> Iterator[str]:
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        for part in get_args(annotation):
            yield from _hidden(part)
        return
    for name, field in annotation.model_fields.items():
        if not field.repr:
            yield name
        for rest in _hidden(field.annotation):
            yield f"{name}.{rest}"


def _written_path(details: ErrorDetails, document: Document) -> KeyPath:
    """The error's path without what does not stand in the file, but with a key that is missing."""
    path: KeyPath = ()
    for part in details["loc"]:
        if (*path, part) in document.values:
            path = (*path, part)
    if details["type"] == "missing":
        path = (*path, details["loc"][-1])
    if details["type"] == KEY_ERROR and details["ctx"]["key"]:
        path = (*path, details["ctx"]["key"])
    return path


def _where(path: KeyPath, document: Document) -> Position | None:
    for length in range(len(path), 0, -1):
        if path[:length] in document.values:
            return document.values[path[:length]]
    return None if () in document.values else Position(1, 1)


def _unknown_key(path: KeyPath, parents: list[JsonSchema]) -> str:
    allowed = [key for parent in parents for key in parent.get("properties", {})]
    near = get_close_matches(str(path[-1]), allowed, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"unknown key{hint} (allowed: {', '.join(allowed)})"


def _message(details: ErrorDetails, allowed: list[JsonSchema], secret: bool) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == KEY_ERROR:
        return str(context["text"])
    if kind == "missing":
        return f"is required: {_expected(allowed)}"
    if kind == "value_error":
        return f"{context['error']}{_instead(details['input'], secret)}"
    expected = _expected(allowed)
    if not expected:
        return f"{details['msg'][0].lower()}{details['msg'][1:]}{_instead(details['input'], secret)}"
    return f"must be {expected}{_instead(details['input'], secret, expected)}"


def _expected(allowed: list[JsonSchema]) -> str:
    described = [_describe(option) for option in allowed if option.get("type") != "null"]
    return " or ".join(dict.fromkeys(filter(None, described)))


def _describe(option: JsonSchema) -> str:
    if "enum" in option or "const" in option:
        values = option.get("enum", [option.get("const")])
        if any(value is True for value in values):
            return "on or off"
        return values[0] if len(values) == 1 else f"one of {', '.join(map(str, values))}"
    text = _TYPES.get(option.get("type", ""), "")
    if not text:
        return ""
    low, high = option.get("minimum"), option.get("maximum")
    if low is not None and high is not None:
        text += f" from {low:g} to {high:g}" if high < 1_000_000 else f" from {low} to {high}"
    if "multipleOf" in option:
        text += f" divisible by {option['multipleOf']}"
    if "pattern" in option:
        text = option.get("description") or f"{text} of the form {option['pattern']}"
    elif option.get("minLength"):
        text += f" of {option['minLength']} to {option.get('maxLength', 'any number of')} characters"
    if option.get("minItems"):
        text += (
            f" of {option['minItems']} to {option['maxItems']}"
            if "maxItems" in option
            else " that is not empty"
        )
    if "items" in option and option["items"].get("enum"):
        text += f" of {', '.join(option['items']['enum'])}"
    return text


def _instead(value: Any, secret: bool, expected: str = "") -> str:
    """What was given, unless it is long or a secret."""
    if secret:
        return ""
    if value is None:
        return ", not empty"
    if isinstance(value, dict):
        return ", not a mapping"
    if isinstance(value, list):
        return f", not {len(value)} entries" if "a list" in expected else ", not a list"
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    return f", not {text}" if len(text) <= 60 else ""
