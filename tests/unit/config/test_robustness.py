# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the text: a configuration or a ConfigError, never another exception."""

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from callagent.config import (
    AgentConfig,
    ConfigError,
    ConfigProblem,
    ServerConfig,
    json_schema,
    parse_agent_config,
    parse_server_config,
)

KEYS = sorted(
    {
        key
        for model in (AgentConfig, ServerConfig)
        for part in [json_schema(model), *json_schema(model)["$defs"].values()]
        for key in part["properties"]
    }
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["auto", "virtual", "none", "anyone", "ring", "22:00", "/dev/video0", "https://a:1", "turn:h", "~x/y"]
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), below, max_size=4)
    ),
    max_leaves=25,
)


def check(source: str | dict[str, Any]) -> None:
    for parse in (parse_agent_config, parse_server_config):
        problems: tuple[ConfigProblem, ...] | None = None
        try:
            parse(source, "f")
        except ConfigError as error:
            problems = error.problems
        assert problems is None or problems
        lines = [str(problem) for problem in problems or ()]
        assert all(line.startswith("f:") and line.isprintable() for line in lines)


@settings(max_examples=300)
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    check(text)


@settings(max_examples=300)
@given(st.text(alphabet="ab01:-[]{}?,&*!|>'\"%#@`~<.+ \n\t\\\0\ud800", max_size=60))
def test_text_of_yamls_own_characters(text: str) -> None:
    check(text)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5))
def test_any_values(data: dict[str, Any]) -> None:
    check(yaml.safe_dump(data, allow_unicode=True))
    check(data)


@settings(max_examples=200)
@given(
    st.sampled_from(sorted(AgentConfig.model_fields)),
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4),
)
def test_any_values_in_one_section(section: str, data: dict[str, Any]) -> None:
    check(yaml.safe_dump({"identity": {"user": "a", "usersig": "b"}} | {section: data}))
