# SPDX-License-Identifier: GPL-3.0-or-later
"""What the repository remembers of live calls is what is stored."""

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import pytest
from sqlalchemy import Connection, update

from callagent.protocol.enums import MediaType
from callagent.server.calls import state
from callagent.server.calls.commands import Accept, EndByService, Invite, SetTracks
from callagent.server.repository import Changes, Repository
from callagent.server.storage.calls import Versioned
from callagent.server.storage.engine import Conflict, Storage
from callagent.server.storage.tables import CallRow
from tests.unit.server.rig import MEMORY

APP_ID, CALL_ID, NOW = 1, "c", 1_800_000_000.0
T = TypeVar("T")


class CountingStorage(Storage):
    """How often somebody read."""

    reads = 0

    async def read(self, work: Callable[[Connection], T], *, short: bool = False) -> T:
        self.reads += 1
        return await super().read(work, short=short)


@pytest.fixture
async def storage() -> AsyncIterator[CountingStorage]:
    opened = await CountingStorage.open(MEMORY)
    assert isinstance(opened, CountingStorage)
    yield opened
    await opened.close()


async def begin(repository: Repository) -> None:
    invite = Invite(
        app_id=APP_ID,
        call_id=CALL_ID,
        room_id=1,
        media_type=MediaType.AUDIO,
        caller_id="anna",
        caller_name="Anna",
        session_id="a1",
        callees=("bea",),
        busy=frozenset(),
        timeout_s=30,
        user_data="",
        chat_group_id="",
    )
    await repository.commit(Changes(APP_ID, step=state.start(invite, NOW)), NOW)
    rung = await loaded(repository)
    step = state.apply(rung.call, Accept("bea", "b1"), NOW)
    await repository.commit(Changes(APP_ID, before=rung, step=step), NOW)


async def loaded(repository: Repository) -> Versioned:
    found = await repository.load(APP_ID, CALL_ID)
    assert found is not None
    return found


async def mute(repository: Repository, before: Versioned, audio: bool) -> None:
    step = state.apply(before.call, SetTracks("anna", "a1", audio, None, None, None), NOW)
    await repository.commit(Changes(APP_ID, before=before, step=step), NOW)


async def test_what_it_stored_itself_is_not_read_again(storage: CountingStorage) -> None:
    repository = Repository(storage)
    await begin(repository)
    for audio in (False, True, False):
        await mute(repository, await loaded(repository), audio)
    remembered = await loaded(repository)
    assert storage.reads == 0
    assert remembered == await loaded(Repository(storage))
    assert remembered.call.members["anna"].audio is False

    step = state.apply(remembered.call, EndByService(), NOW)
    await repository.commit(Changes(APP_ID, before=remembered, step=step), NOW)
    assert await repository.load(APP_ID, CALL_ID) is None
    assert storage.reads == 2


async def test_a_lost_compare_and_set_changes_nothing_that_is_remembered(storage: CountingStorage) -> None:
    repository = Repository(storage)
    await begin(repository)
    first = await loaded(repository)
    await mute(repository, first, False)
    with pytest.raises(Conflict):
        await mute(repository, first, True)
    assert (await loaded(repository)).call.members["anna"].audio is False
    assert storage.reads == 0


async def test_a_call_that_somebody_else_changed_is_read_again(storage: CountingStorage) -> None:
    repository = Repository(storage)
    await begin(repository)
    await storage.write(lambda connection: connection.execute(update(CallRow).values(version=7)))
    with pytest.raises(Conflict):
        await mute(repository, await loaded(repository), False)
    assert (await loaded(repository)).version == 7
    await mute(repository, await loaded(repository), False)
    assert (await loaded(repository)).version == 8
