# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows every commit: connections, timers and watchers are told."""

from collections.abc import Awaitable, Callable

from callagent.protocol.enums import Placement
from callagent.server.bus import Bus
from callagent.server.calls.model import Call
from callagent.server.presence import Presence
from callagent.server.repository import Changes, Committed, Repository
from callagent.server.timers import Timers


class Announcer:
    """Commits changes and makes them known, in this order. Used on the event loop."""

    def __init__(
        self,
        repository: Repository,
        bus: Bus,
        timers: Timers,
        presence: Presence,
        on_callbacks: Callable[[], None],
        on_group_call: Callable[[Call], Awaitable[None]],
    ) -> None:
        """`on_callbacks` hears that there is something to be sent to a back end.

        `on_group_call` gets each call whose media runs, or ran until now, on a media server.
        """
        self._repository = repository
        self._bus = bus
        self._timers = timers
        self._presence = presence
        self._on_callbacks = on_callbacks
        self._on_group_call = on_group_call

    async def commit(self, changes: Changes, now: float) -> Committed:
        """Raises what `Repository.commit` raises; then nothing was changed or told."""
        committed = await self._repository.commit(changes, now)
        for delivery in committed.deliveries:
            self._bus.publish(delivery)
        self._timers.changed(committed.timers_set, committed.timers_cleared)
        if committed.presence_changed:
            self._presence.changed(changes.app_id, committed.presence_changed)
        if committed.callbacks:
            self._on_callbacks()
        if _on_media_server(changes) and changes.step is not None:
            await self._on_group_call(changes.step.call)
        return committed


def _on_media_server(changes: Changes) -> bool:
    before = changes.before is not None and changes.before.call.placement is Placement.SFU
    return before or (changes.step is not None and changes.step.call.placement is Placement.SFU)
