# SPDX-License-Identifier: Apache-2.0
"""Where the agent of this machine listens."""

import os
from pathlib import Path

from callagent.protocol.control import SERVICE_SOCKET_PATH, SOCKET_NAME

SOCKET_VARIABLE = "CALLAGENT_SOCKET"


def default_socket_path() -> Path:
    """$CALLAGENT_SOCKET, else the service's socket where there is one, else that of the user's own agent."""
    if given := os.environ.get(SOCKET_VARIABLE):
        return Path(given)
    service = Path(SERVICE_SOCKET_PATH)
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if service.exists() or not runtime:
        return service
    return Path(runtime) / SOCKET_NAME
