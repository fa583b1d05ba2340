# SPDX-License-Identifier: GPL-3.0-or-later
"""A call between the kiosk in the guest and a caller here: what the caller sees and hears of it."""

import json
from collections.abc import Callable
from typing import Any

from callagent.devices.virtual.tone_meter import tone_db
from callagent.protocol import control as api
from callagent.protocol.control import SlotState
from tests.lab.kiosk import GuestKiosk
from tests.lab.waiting import until
from tests.listening import samples
from tests.programs import Kiosk

ANSWERING = {"mode": "auto", "from": "anyone", "delay_s": 0}
VIRTUAL = {"device": "virtual"}
CALLERS_TONE_HZ = 1000.0
DEADLINE_S = 60.0
LOUD_DB = 20.0
_TAIL_BYTES = 400


class Scene:
    def __init__(self, kiosk: GuestKiosk, caller: Kiosk) -> None:
        self.kiosk, self.caller = kiosk, caller

    async def call(self) -> None:
        """The caller calls and is through."""
        await self.ring()
        await self.caller.until_state("connected", DEADLINE_S)

    async def ring(self) -> None:
        async with self.caller.client() as control:
            await control.call(["kiosk"])

    async def slot(
        self, name: str, state: SlotState, what: Callable[[api.SlotStatus], Any] = bool
    ) -> api.SlotStatus:
        """Wait until a slot of the kiosk is in this state, and `what` holds of it."""
        status = await self.kiosk.until(
            lambda status: status.slots[name].state is state and bool(what(status.slots[name])),
            f"{name} not {state}",
            DEADLINE_S,
        )
        return status.slots[name]

    async def camera(self, serial: str) -> api.DeviceInfo:
        """Wait until the kiosk lists this camera."""
        listed: list[api.DeviceInfo] = []

        async def there() -> bool:
            async with self.kiosk.client() as control:
                cameras = (await control.devices()).cameras
            listed[:] = [camera for camera in cameras if camera.serial == serial]
            return bool(listed)

        await until(there, DEADLINE_S, self.kiosk.journal)
        return listed[0]

    async def speaker_is(self, card: str) -> None:
        """Wait until the kiosk's sound comes out of this card."""

        async def there() -> bool:
            async with self.kiosk.client() as control:
                devices = await control.devices()
            path = next((each.path for each in devices.speakers if each.id == devices.current.speaker), "")
            status = await self.kiosk.status()
            live = status is not None and status.slots["speaker"].state is SlotState.LIVE
            return f"CARD={card}," in (path or "") and live

        await until(there, DEADLINE_S, self.kiosk.journal)

    async def pictures(self, more: int = 8) -> None:
        """So many more pictures than now arrive at the caller, slates too."""
        had = await self._pictures()

        async def came() -> bool:
            return await self._pictures() >= had + more

        await until(came, DEADLINE_S, self.kiosk.journal)

    async def _pictures(self) -> int:
        status = await self.caller.status()
        assert status is not None
        pictures: int = status.media["screen"]["pictures"]
        return pictures

    def newest(self) -> tuple[int, int] | None:
        """Camera and counter of the last frame code the caller saw."""
        path = self.caller.pictures
        if not path.exists():
            return None
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            lines = [line for line in file.read().decode().splitlines() if line.endswith("}")]
        if not lines or not lines[-1].startswith("{"):
            return None
        code = json.loads(lines[-1])
        return code["ident"], code["counter"]

    async def sees(self, ident: int, deadline_s: float = DEADLINE_S) -> None:
        """The caller gets new pictures of this camera, with a counter that moves."""
        before = self.newest()

        async def seen() -> bool:
            now = self.newest()
            return now is not None and now[0] == ident and now != before

        try:
            await until(seen, deadline_s, lambda: f"camera {ident} not seen, but {self.newest()}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{await self.kiosk.status()}\n{self.kiosk.journal()}") from None

    async def moment(self, name: str, events: tuple[str, ...], since: float) -> float:
        """When the first of these events happened to a slot since then, in seconds on the guest's clock."""

        def found(status: api.StatusData) -> list[float]:
            history = status.slots[name].history
            return [each.time_s for each in history if each.event in events and each.time_s >= since]

        status = await self.kiosk.until(
            lambda status: bool(found(status)), f"{name}: no {events}", DEADLINE_S
        )
        return min(found(status))

    async def hears(self, tone_hz: float, deadline_s: float = DEADLINE_S) -> None:
        """The kiosk's microphone hears this tone, and so does the caller."""

        async def heard() -> bool:
            return tone_db(samples(self.caller.sound, 0.4), tone_hz) >= LOUD_DB

        await until(heard, deadline_s, lambda: f"{tone_hz} Hz not heard: {self.kiosk.journal()}")
