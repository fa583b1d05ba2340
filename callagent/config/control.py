# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's control socket."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints

from callagent.config.base import FilePath, Section, Text


def _octal(value: Any) -> Any:
    return f"{value:04d}" if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else value


FileMode = Annotated[
    str,
    StringConstraints(pattern="^0?[0-7]{3}$"),
    Field(description="a file mode of three octal digits such as 0660"),
    BeforeValidator(_octal),
]


class ControlConfig(Section):
    socket: FilePath | None = None
    """None: /run/callagent/agent.sock as a service, $XDG_RUNTIME_DIR/callagent/agent.sock otherwise."""
    group: Text | None = "callagent"
    """The socket's group, where such a group exists and the agent may give it away."""
    mode: FileMode = "0660"

    @property
    def mode_bits(self) -> int:
        return int(self.mode, 8)
