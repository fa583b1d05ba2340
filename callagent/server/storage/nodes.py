# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the nodes that share a database."""

from sqlalchemy import Connection, delete, insert, select, update

from callagent.server.storage.tables import NodeRow


def beat(connection: Connection, node_id: str) -> bool:
    """Count this node's beat up. False when it was not there (any more): then it is now."""
    ours = NodeRow.node_id == node_id
    counted = connection.execute(update(NodeRow).where(ours).values(beat=NodeRow.beat + 1))
    if counted.rowcount == 1:
        return True
    connection.execute(insert(NodeRow).values(node_id=node_id, beat=1))
    return False


def beats(connection: Connection) -> dict[str, int]:
    """Of every node."""
    rows = connection.execute(select(NodeRow.node_id, NodeRow.beat))
    return {row.node_id: row.beat for row in rows}


def remove(connection: Connection, node_id: str) -> None:
    connection.execute(delete(NodeRow).where(NodeRow.node_id == node_id))
