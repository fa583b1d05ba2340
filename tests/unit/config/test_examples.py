# SPDX-License-Identifier: GPL-3.0-or-later
"""The example files are complete, load, and show the defaults."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from callagent.config import (
    AgentConfig,
    ServerConfig,
    json_schema,
    load_agent_config,
    load_server_config,
    parse_agent_config,
)
from callagent.config.yaml_source import read_document

FOLDER = Path(__file__).parents[3] / "config"
CASES = [(AgentConfig, "callagent.example.yaml"), (ServerConfig, "server.example.yaml")]


def keys(model: BaseModel, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The key path of every value of a configuration."""
    for name, info in type(model).model_fields.items():
        value, key = getattr(model, name), (*path, info.alias or name)
        yield key
        if isinstance(value, BaseModel):
            yield from keys(value, key)


def load(model: type[AgentConfig | ServerConfig], name: str) -> AgentConfig | ServerConfig:
    return load_agent_config(FOLDER / name) if model is AgentConfig else load_server_config(FOLDER / name)


@pytest.mark.parametrize(("model", "name"), CASES)
def test_every_key_is_there(model: type[AgentConfig | ServerConfig], name: str) -> None:
    text = (FOLDER / name).read_text()
    assert set(keys(load(model, name))) <= set(read_document(text, name).keys)
    # Keys below lists stand in comments.
    known = {key for part in json_schema(model)["$defs"].values() for key in part["properties"]}
    assert {key for key in known if not re.search(rf"\b{re.escape(key)}:", text)} == set()


def test_the_agents_values_are_the_defaults() -> None:
    example = load_agent_config(FOLDER / "callagent.example.yaml")
    default = parse_agent_config({"identity": {"device_key_file": "/k"}})
    assert example.model_copy(update={"identity": default.identity}) == default
    assert {name for name, value in example.identity if value is not None} == {"user", "device_key_file"}
    for line in (FOLDER / "callagent.example.yaml").read_text().splitlines():
        if line.lstrip().startswith(("user: ", "device_key_file: ")):
            assert "# example" in line


def test_the_services_values_are_the_defaults() -> None:
    assert load_server_config(FOLDER / "server.example.yaml") == ServerConfig()


@pytest.mark.parametrize(("model", "name"), CASES)
def test_what_is_commented_out_works_too(
    model: type[AgentConfig | ServerConfig], name: str, tmp_path: Path
) -> None:
    """Examples stand in lines that begin with `  #   `, below the key whose default they would replace."""
    text = (FOLDER / name).read_text()
    examples = re.findall(r"(?m)^  #   .*", text)
    text = re.sub(r"(?m)^( {0,2}\w+:) (?:\[\]|{}|auto)(?= .*\n(?: +#.*\n)*  #   |\n  #   )", r"\1", text)
    path = tmp_path / name
    path.write_text(re.sub(r"(?m)^  #   ", "      ", text))
    config = load_agent_config(path) if model is AgentConfig else load_server_config(path)
    assert examples
    if isinstance(config, AgentConfig):
        assert [len(part) for part in (config.camera.device, config.answer.rules)] == [4, 2]
        assert [len(part) for part in (config.buttons, config.lights)] == [3, 2]
        assert len(config.answer.do_not_disturb) == len(config.media.stun) == len(config.media.turn) == 1
    else:
        assert len(config.ice.servers) == 1
    assert len(config.log.modules) == 1
