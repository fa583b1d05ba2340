# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON schema for editors says the same as the loader."""

import json

from callagent.config import AgentConfig, ServerConfig, json_schema
from callagent.config.schema import allowed_at


def test_it_is_json_and_names_keys_as_the_file_has_them() -> None:
    for model in (AgentConfig, ServerConfig):
        schema = json.loads(json.dumps(json_schema(model)))
        assert schema["$schema"].endswith("2020-12/schema")
        assert set(schema["properties"]) == set(model.model_fields)
        assert schema["additionalProperties"] is False
    rule = json_schema(AgentConfig)["$defs"]["AnswerRule"]
    assert set(rule["properties"]) == {"from", "mode", "delay_s"}
    assert set(rule["required"]) == {"from", "mode"}


def test_what_is_allowed_at_a_path() -> None:
    schema = json_schema(AgentConfig)
    (fps,) = allowed_at(schema, ("camera", "fps"))
    assert (fps["minimum"], fps["maximum"]) == (1, 60)
    (path,) = [one for one in allowed_at(schema, ("camera", "device", 0, "path")) if one["type"] != "null"]
    assert path["type"] == "string"
    names = [one["enum"] for one in allowed_at(schema, ("camera", "device")) if "enum" in one]
    assert names == [["auto", "none", "virtual"]]
