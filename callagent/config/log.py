# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written to the journal."""

from typing import Literal

from callagent.config.base import Section

LogLevel = Literal["debug", "info", "warning", "error"]


class LogConfig(Section):
    level: LogLevel = "info"
    modules: dict[str, LogLevel] = {}
    """Levels of single loggers, by name: `callagent.rtc: debug`."""
