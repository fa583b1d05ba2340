# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call asks SQLite costs the same among a hundred sessions and among thousands."""

from typing import Any

from sqlalchemy import Connection, Engine, event

from callagent.protocol.enums import MediaType
from callagent.protocol.requests import Calls
from callagent.server.accounts import DEFAULT_APP_ID
from callagent.server.calls.commands import Accept, Hangup
from callagent.server.calls.group_media import NoGroupMedia
from callagent.server.calls.records import record_of_call
from callagent.server.storage.event_log import SessionKey
from tests.unit.server.arena import Arena, arena_with

Statements = dict[str, Any]
"""With the parameters they were executed with first."""


async def a_call(arena: Arena) -> None:
    """From the ring to the record."""
    request = Calls(id=1, user_id_list=["b"], media_type=MediaType.VIDEO)
    started = await arena.control.invite(SessionKey(DEFAULT_APP_ID, "a1"), "a", request, sfu=False)
    await arena.control.apply(DEFAULT_APP_ID, started.call_id, Accept("b", "b1"))
    await arena.control.apply(DEFAULT_APP_ID, started.call_id, Hangup("a", "a1"))
    assert await record_of_call(arena.storage, DEFAULT_APP_ID, started.call_id) is not None


def too_much(connection: Connection, statements: Statements) -> list[str]:
    """Those that look through a table, or through all rows of an app."""
    found = []
    for statement, parameters in statements.items():
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
        steps = [row[3] for row in plan if " USING " in row[3] or row[3].startswith("SCAN")]
        if any(step.startswith("SCAN") or step.endswith("(app_id=?)") for step in steps):
            found.append(f"{statement}: {steps}")
    return found


async def test_a_call_reads_and_writes_by_whole_keys() -> None:
    async with arena_with(NoGroupMedia()) as arena:
        for session in ("a1", "b1"):
            await arena.open(session[0], session)
        statements: Statements = {}

        def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
            if statement.split()[0] in ("SELECT", "INSERT", "UPDATE", "DELETE"):
                statements.setdefault(statement, parameters[0] if many else parameters)

        event.listen(Engine, "before_cursor_execute", note)
        try:
            await a_call(arena)
        finally:
            event.remove(Engine, "before_cursor_execute", note)
        assert len(statements) > 10
        assert await arena.storage.read(lambda connection: too_much(connection, statements)) == []
