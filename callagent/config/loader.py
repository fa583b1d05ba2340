# SPDX-License-Identifier: GPL-3.0-or-later
"""From a file to a checked configuration, or to every mistake in it at once."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from callagent.config.agent import AgentConfig
from callagent.config.base import DIRECTORY, FILE, Section
from callagent.config.explain import explain
from callagent.config.problems import ConfigError, ConfigProblem, Position
from callagent.config.server import ServerConfig
from callagent.config.yaml_source import Document, document_of, read_document

MAX_FILE_BYTES = 1 << 20

_Model = TypeVar("_Model", bound=Section)


def load_agent_config(path: str | os.PathLike[str]) -> AgentConfig:
    """Read and check an agent's configuration. Raises ConfigError; blocks on the file."""
    return load(Path(path), AgentConfig)


def load_server_config(path: str | os.PathLike[str]) -> ServerConfig:
    """Read and check a call service's configuration. Raises ConfigError; blocks on the file."""
    return load(Path(path), ServerConfig)


def parse_agent_config(
    source: str | Mapping[str, Any], file: str = "<configuration>", directory: Path | None = None
) -> AgentConfig:
    """As `load_agent_config`, of YAML text or of values; relative paths start from `directory` if given."""
    return _parse(source, file, directory, AgentConfig)


def parse_server_config(
    source: str | Mapping[str, Any], file: str = "<configuration>", directory: Path | None = None
) -> ServerConfig:
    """As `load_server_config`, of YAML text or of values; relative paths start from `directory` if given."""
    return _parse(source, file, directory, ServerConfig)


def load(path: Path, model: type[_Model]) -> _Model:
    """Read and check a file of whatever kind. Raises ConfigError; blocks on the file."""
    context = {DIRECTORY: path.parent.absolute(), FILE: path}
    return _checked(read_document(_read(path), str(path)), context, model)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError([ConfigProblem(str(path), f"cannot be read: {reason}")]) from error
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError([ConfigProblem(str(path), "is longer than 1 MiB; is it the right file?")])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line_start = before.rfind(b"\n") + 1
        column = len(before[line_start:].decode("utf-8", "replace")) + 1
        position = Position(before.count(b"\n") + 1, column)
        raise ConfigError([ConfigProblem(str(path), "is not UTF-8 text", position)]) from error


def _parse(source: str | Mapping[str, Any], file: str, directory: Path | None, model: type[_Model]) -> _Model:
    document = read_document(source, file) if isinstance(source, str) else document_of(source, file)
    return _checked(document, {DIRECTORY: directory}, model)


def _checked(document: Document, context: Mapping[str, Path | None], model: type[_Model]) -> _Model:
    problems = document.problems
    try:
        config = model.model_validate(document.data, context=context)
    except ValidationError as error:
        problems = [*problems, *explain(error, document, model)]
    if problems:
        raise ConfigError(sorted(problems, key=_order))
    return config


def _order(problem: ConfigProblem) -> tuple[int, int]:
    position = problem.position or Position(0, 0)
    return position.line, position.column
