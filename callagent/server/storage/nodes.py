# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the nodes that share a database."""

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from callagent.server.storage.tables import NodeRow


async def beat(connection: AsyncConnection, node_id: str) -> bool:
    """Count this node's beat up. False when it was not there (any more): then it is now."""
    ours = NodeRow.node_id == node_id
    counted = await connection.execute(update(NodeRow).where(ours).values(beat=NodeRow.beat + 1))
    if counted.rowcount == 1:
        return True
    await connection.execute(insert(NodeRow).values(node_id=node_id, beat=1))
    return False


async def beats(connection: AsyncConnection) -> dict[str, int]:
    """Of every node."""
    rows = await connection.execute(select(NodeRow.node_id, NodeRow.beat))
    return {row.node_id: row.beat for row in rows}


async def remove(connection: AsyncConnection, node_id: str) -> None:
    await connection.execute(delete(NodeRow).where(NodeRow.node_id == node_id))
