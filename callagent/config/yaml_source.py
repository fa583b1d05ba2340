# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML that remembers where every key and value stands.

The core schema of YAML 1.2 in essence: only `true` and `false` are booleans,
only `null`, `~` and nothing are null, `22:00`, `off`, `no`, `0660` and
`1e3` are text. No tags, anchors or aliases.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from yaml.composer import Composer
from yaml.events import AliasEvent
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from callagent.config.problems import ConfigError, ConfigProblem, Position

KeyPath = tuple[str | int, ...]

_PREFIX: Final = "tag:yaml.org,2002:"
_NULL, _BOOL, _INT, _FLOAT = (f"{_PREFIX}{name}" for name in ("null", "bool", "int", "float"))
_PLAIN: Final = {
    _NULL: re.compile(r"^(?:null|Null|NULL|~|)$"),
    _BOOL: re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"),
    _INT: re.compile(r"^[-+]?(?:0|[1-9][0-9]{0,17})$"),
    _FLOAT: re.compile(r"^[-+]?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,18}$"),
}
_DAMAGED: Final = "holds half a character (a lone surrogate)"


class _PositionedYaml(Reader, Scanner, Parser, Composer, BaseResolver):
    """PyYAML down to nodes, with the plain scalars above and no aliases."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        if self.check_event(AliasEvent):
            raise yaml.composer.ComposerError(
                None,
                None,
                "anchors and aliases (& and *) are not supported",
                self.peek_event().start_mark,  # type: ignore[no-untyped-call]
            )
        return super().compose_node(parent, index)


for _tag, _pattern in _PLAIN.items():
    _PositionedYaml.add_implicit_resolver(_tag, _pattern, None)


@dataclass(slots=True)
class Document:
    """The values of a file, and where each stands (None: the values never were in a file)."""

    file: str
    data: dict[str, Any] = field(default_factory=dict)
    keys: dict[KeyPath, Position | None] = field(default_factory=dict)
    values: dict[KeyPath, Position | None] = field(default_factory=dict)
    problems: list[ConfigProblem] = field(default_factory=list)
    """Mistakes that did not keep the rest from being read: duplicate keys and the like."""

    def report(self, path: KeyPath, position: Position | None, message: str) -> None:
        self.problems.append(ConfigProblem(self.file, message, position, ".".join(map(str, path))))


def read_document(text: str, file: str) -> Document:
    """Read YAML text whose top level is a mapping; `file` is the name in messages.

    Raises ConfigError when nothing can be made of it.
    """
    node = _compose(text, file)
    document = Document(file)
    if node is None or (isinstance(node, ScalarNode) and node.tag == _NULL):
        return document
    if not isinstance(node, MappingNode):
        message = "the top level must be a mapping of keys to values, such as `camera:`"
        raise ConfigError([ConfigProblem(file, message, _position(node))])
    document.data = _mapping(node, (), document)
    return document


def document_of(data: Mapping[str, Any], file: str) -> Document:
    """Values a program has put together, as if they had been read."""
    document = Document(file, dict(data))
    _note(data, (), document)
    return document


def _note(value: Any, path: KeyPath, document: Document) -> None:
    document.values[path] = None
    if isinstance(value, Mapping):
        for key, below in value.items():
            document.keys[*path, key] = None
            _note(below, (*path, key), document)
    elif isinstance(value, list | tuple):
        for index, below in enumerate(value):
            _note(below, (*path, index), document)


def _compose(text: str, file: str) -> Node | None:
    try:
        return _PositionedYaml(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        position = Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
        message = " ".join(filter(None, (error.context, error.problem)))
    except yaml.reader.ReaderError as error:
        before = text[: int(error.position)]
        position = Position(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
        message = f"the character #x{ord(text[error.position]):04x} is not allowed"
    except RecursionError:
        position, message = Position(1, 1), "it is nested too deeply"
    except (ValueError, OverflowError) as error:
        # PyYAML lets a few through, such as the escape of a character beyond Unicode.
        position, message = Position(1, 1), str(error)
    raise ConfigError([ConfigProblem(file, f"not valid YAML: {message}", position)])


def _value(node: Node, path: KeyPath, document: Document) -> Any:
    document.values[path] = _position(node)
    if isinstance(node, MappingNode):
        return _mapping(node, path, document)
    if isinstance(node, SequenceNode):
        if node.tag != BaseResolver.DEFAULT_SEQUENCE_TAG:
            document.report(path, _position(node), f"the tag {node.tag} is not supported")
        return [_value(item, (*path, index), document) for index, item in enumerate(node.value)]
    return _scalar(node, path, document)


def _mapping(node: MappingNode, path: KeyPath, document: Document) -> dict[str, Any]:
    if node.tag != BaseResolver.DEFAULT_MAPPING_TAG:
        document.report(path, _position(node), f"the tag {node.tag} is not supported")
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        position = _position(key_node)
        if not isinstance(key_node, ScalarNode):
            document.report(path, position, "a key must be a plain word")
            continue
        key, key_path = key_node.value, (*path, key_node.value)
        if _is_damaged(key):
            document.report(key_path, position, _DAMAGED)
            continue
        if key in mapping:
            first = document.keys[key_path]
            where = f"it is given in line {first.line} already" if first else "it is given already"
            document.report(key_path, position, f"duplicate key: {where}")
            continue
        document.keys[key_path] = position
        mapping[key] = _value(value_node, key_path, document)
    return mapping


def _scalar(node: Node, path: KeyPath, document: Document) -> Any:
    text: str = node.value
    if node.tag == BaseResolver.DEFAULT_SCALAR_TAG:
        if _is_damaged(text):
            document.report(path, _position(node), _DAMAGED)
        return text
    pattern = _PLAIN.get(node.tag)
    if pattern is None or not pattern.match(text):
        document.report(path, _position(node), f"the tag {node.tag} is not supported")
        return text
    if node.tag == _NULL:
        return None
    if node.tag == _BOOL:
        return text.lower() == "true"
    return int(text) if node.tag == _INT else float(text)


def _is_damaged(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)


def _position(node: Node) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)
