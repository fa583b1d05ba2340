# SPDX-License-Identifier: GPL-3.0-or-later
"""The call service of the browser tests, and the web phone's addresses on it."""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.programs import APP_ID, Service


class RunningService(Service):
    """Where the web phone is, and people for one test."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
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
def running_service(folder: Path) -> Iterator[RunningService]:
    """Start `callagent serve` with its storage in `folder`; stop it at the end."""
    service = RunningService(folder)
    try:
        asyncio.run(service.start())
        yield service
    finally:
        asyncio.run(service.program.stop())
