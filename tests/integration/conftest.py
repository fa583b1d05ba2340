# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service keeps its state in: SQLite, or PostgreSQL and Redis for several nodes."""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.postgres import Postgres, postgres_server
from tests.redis_server import RedisServer
from tests.unit.server import rig
from tests.unit.server.rig import MEMORY, Rig


@dataclass(frozen=True)
class Backing:
    """Makes services on one kind of storage."""

    database_url: str
    redis_url: str | None = None
    nodes: int = 1

    def fresh(self, **options: Any) -> AbstractAsyncContextManager[Rig]:
        return rig.fresh(self.database_url, redis_url=self.redis_url, nodes=self.nodes, **options)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(params=["one node", "two nodes"])
def backing(request: pytest.FixtureRequest) -> Backing:
    """What is to hold for a service of one process holds for one of several."""
    if request.param == "one node":
        return Backing(MEMORY)
    return several(request.getfixturevalue("postgres"), request.getfixturevalue("redis_server"))


@pytest.fixture
def two_nodes(postgres: Postgres, redis_server: RedisServer) -> Backing:
    return several(postgres, redis_server)


def several(postgres: Postgres, redis_server: RedisServer) -> Backing:
    return Backing(postgres.database(), redis_server.url, nodes=2)
