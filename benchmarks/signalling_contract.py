# SPDX-License-Identifier: GPL-3.0-or-later
"""What the load generator needs of those who know a service's own language."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import aiohttp

DEADLINE_S = 10.0
"""For whatever somebody waits for."""

Json = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Load:
    people: str
    """The module that knows how to speak to this service; it has a class `People`."""
    urls: list[str]
    """Of the nodes."""
    sessions: int
    seconds: float
    rate: float
    """Calls begun per second, whatever became of those before; 0: as many as the pairs can."""
    pairs: int
    app_id: int = 0
    secret: str = ""


class Failed(Exception):
    """Something was answered wrongly or not in time."""


class People(Protocol):
    """The users of one service, by number. Used on one event loop."""

    def __init__(self, load: Load, web: aiohttp.ClientSession) -> None: ...

    async def prepare(self) -> None:
        """Before anybody logs in."""
        ...

    async def log_in(self, number: int) -> None:
        """Raises Failed."""
        ...

    async def set_up(self, caller: int, callee: int, due: float) -> float:
        """One call from the first word to its end; seconds from `due` (event loop's clock) until it rang.

        Raises Failed.
        """
        ...

    async def log_out(self) -> None:
        """Everybody."""
        ...


async def in_time(waiting: Awaitable[T], otherwise: str) -> T:
    """Raises Failed."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            return await waiting
    except TimeoutError:
        raise Failed(otherwise) from None
