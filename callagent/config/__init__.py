# SPDX-License-Identifier: GPL-3.0-or-later
"""The YAML files of agent and call service: what may stand in them, and messages that name the place."""

from callagent.config.agent import AgentConfig
from callagent.config.loader import (
    load_agent_config,
    load_server_config,
    parse_agent_config,
    parse_server_config,
)
from callagent.config.problems import ConfigError, ConfigProblem, Position
from callagent.config.profile import HardwareProfile
from callagent.config.schema import json_schema
from callagent.config.server import ServerConfig

__all__ = [
    "AgentConfig",
    "ConfigError",
    "ConfigProblem",
    "HardwareProfile",
    "Position",
    "ServerConfig",
    "json_schema",
    "load_agent_config",
    "load_server_config",
    "parse_agent_config",
    "parse_server_config",
]
