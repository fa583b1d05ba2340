# SPDX-License-Identifier: Apache-2.0
"""Python client of the agent's control socket, for commands, screens and other programs."""

from callagent.client.agent import AgentClient, AgentUnreachable
from callagent.client.socket_path import default_socket_path

__all__ = ["AgentClient", "AgentUnreachable", "default_socket_path"]
