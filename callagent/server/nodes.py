# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of a service: each tells the others that it lives, and sees who does not.

By a number in the database that counts up, so that no two clocks need agree.
"""

import asyncio
import logging
import secrets
import socket
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import SQLAlchemyError

from callagent.server.storage import nodes
from callagent.server.storage.engine import Conflict, Storage

BEAT_S = 1.0
DEAD_S = 4.0
"""A node whose number stood still for this long is dead."""

OnDead = Callable[[str], Awaitable[None]]
"""Take over what that node had. May be called by several nodes, and again when it failed."""
OnForgotten = Callable[[], None]
"""The others took this node for dead: what it had is theirs."""

logger = logging.getLogger(__name__)


def new_node_id() -> str:
    """Of this process: another one after a restart."""
    return f"{socket.gethostname()}-{secrets.token_hex(4)}"


class Nodes:
    """Runs from `start` to `close`. Used on the event loop."""

    def __init__(self, storage: Storage, node_id: str, on_dead: OnDead, on_forgotten: OnForgotten) -> None:
        self._storage = storage
        self._node_id = node_id
        self._on_dead = on_dead
        self._on_forgotten = on_forgotten
        self._seen: dict[str, tuple[int, float]] = {}
        """Of the others: the number, and since when it stands (loop time)."""
        self._looked_at = 0.0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Raises SQLAlchemyError, OSError."""
        await self._storage.write(lambda connection: nodes.beat(connection, self._node_id))
        self._task = asyncio.create_task(self._run(), name="nodes")

    async def close(self) -> None:
        """What this node had is left by now: the others need not wait for its death."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait({self._task})
        self._task = None
        await self._storage.write(lambda connection: nodes.remove(connection, self._node_id))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            try:
                for dead in await self._beat():
                    logger.warning("node %s is dead", dead)
                    await self._on_dead(dead)
            except (SQLAlchemyError, OSError, Conflict):
                logger.exception("the nodes cannot be seen; once more in %.0f s", BEAT_S)

    async def _beat(self) -> list[str]:
        """Those that are dead."""
        known, beats = await self._storage.write(
            lambda connection: (nodes.beat(connection, self._node_id), nodes.beats(connection))
        )
        if not known:
            logger.warning("the other nodes took this one for dead")
            self._on_forgotten()
        now = asyncio.get_running_loop().time()
        if now - self._looked_at > 2 * BEAT_S:
            # Nothing is known of the time between: the database, or this node, stood still.
            self._seen = {}
        self._looked_at = now
        others = {node_id: beat for node_id, beat in beats.items() if node_id != self._node_id}
        self._seen = {
            node_id: self._seen[node_id] if self._seen.get(node_id, (None,))[0] == beat else (beat, now)
            for node_id, beat in others.items()
        }
        return [node_id for node_id, (_, since) in self._seen.items() if now - since >= DEAD_S]
