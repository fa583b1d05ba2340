# SPDX-License-Identifier: GPL-3.0-or-later
"""The call service of the browser tests, and the web phone's addresses on it."""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from callagent.server.tls import machine_addresses
from tests.programs import APP_ID, Service


class RunningService(Service):
    """Where the web phone is, and people for one test."""

    def __init__(self, folder: Path, **sections: Any) -> None:
        super().__init__(folder, **sections)
        self._numbers = itertools.count()

    @property
    def url(self) -> str:
        """The web phone on loopback, plain."""
        return f"{self.http_url}/phone/"

    @property
    def https_url(self) -> str:
        return f"https://127.0.0.1:{self.https_port}/phone/"

    def people(self, *names: str) -> tuple[str, ...]:
        """User ids nobody had before: what one test leaves behind does not concern the next."""
        number = next(self._numbers)
        return tuple(f"{name}-{number}" for name in names)

    def link(self, user: str, *, https: bool = False) -> str:
        """The address that signs `user` in."""
        return f"{self.https_url if https else self.url}#user={user}&sig={self.ticket(user)}&app={APP_ID}"


@contextmanager
def running_service(folder: Path, **sections: Any) -> Iterator[RunningService]:
    """Start `callagent serve` with its storage in `folder`; stop it at the end.

    `sections`: further ones of its configuration.
    """
    service = RunningService(folder, **sections)
    try:
        asyncio.run(service.start())
        yield service
    finally:
        asyncio.run(service.program.stop())


def own_address() -> str:
    """The machine's address in its network; on a machine without one its own name for itself has to do."""
    addresses = [address for address in machine_addresses() if address.version == 4]
    return str(min(addresses, key=lambda address: (address.is_loopback, address.is_link_local)))
