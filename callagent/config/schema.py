# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON schemas: for editors, and to say in messages what would have been allowed."""

from collections.abc import Sequence
from typing import Any

from callagent.config.base import Section

JsonSchema = dict[str, Any]


def json_schema(model: type[Section]) -> JsonSchema:
    """JSON Schema 2020-12 of a configuration, with the keys as they stand in the file."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def allowed_at(schema: JsonSchema, path: Sequence[str | int]) -> list[JsonSchema]:
    """Every alternative the schema allows at a key path, references resolved.

    Parts of the path the schema does not know (pydantic adds the name of a
    union's member) are passed over.
    """
    present = _alternatives(schema, schema)
    for part in path:
        if isinstance(part, int):
            below = [option["items"] for option in present if "items" in option]
        else:
            below = [option["properties"][part] for option in present if part in option.get("properties", {})]
        if below:
            present = [found for option in below for found in _alternatives(option, schema)]
    return present


def _alternatives(option: JsonSchema, root: JsonSchema) -> list[JsonSchema]:
    if "$ref" in option:
        return _alternatives(root["$defs"][option["$ref"].rsplit("/", 1)[-1]], root)
    members = option.get("anyOf") or option.get("oneOf") or option.get("allOf")
    if members is None:
        return [option]
    return [found for member in members for found in _alternatives(member, root)]
