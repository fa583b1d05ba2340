# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the orientation right while displays come and go and the box is turned. On the loop; displays and
accelerometer are read on a worker thread."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Literal

from callagent.agent.orientation import Orientation, resolve
from callagent.devices.accelerometer import Tilt, tilt_of
from callagent.devices.displays import Display, displays_of
from callagent.devices.inventory import Change, DeviceInfo, DeviceKind
from callagent.devices.nodes import Nodes
from callagent.devices.registry import Registry

logger = logging.getLogger(__name__)

ASK_S = 1.0
"""How often an accelerometer is asked, while there is one and it matters."""
FIRST_LOOK_S = 2.0
_KINDS = (DeviceKind.DISPLAY, DeviceKind.ACCELEROMETER)


class OrientationWatch:
    """`current` is right from `start` on; `on_change` is called on the loop after it changed."""

    def __init__(
        self,
        configured: Literal["portrait", "landscape", "auto"],
        registry: Registry,
        nodes: Nodes,
        on_change: Callable[[], None],
        ask_s: float = ASK_S,
    ) -> None:
        self._configured = configured
        self._registry = registry
        self._nodes = nodes
        self._on_change = on_change
        self._ask_s = ask_s
        self._displays: tuple[Display, ...] = ()
        self._tilt: Tilt | None = None
        self._sensor_problem = ""
        self._stale = asyncio.Event()
        self._looked = asyncio.Event()
        self._leave: Callable[[], None] = lambda: None
        self._task: asyncio.Task[None] | None = None
        self.current: Orientation = resolve(configured, (), None)

    async def start(self) -> None:
        """Look for the first time, after the registry did; what is configured needs no watching."""
        if self._configured != "auto":
            return
        self._leave = self._registry.subscribe(self._devices_changed)
        self._stale.set()
        self._task = asyncio.create_task(self._keep(), name="orientation")
        with contextlib.suppress(TimeoutError):
            # Calls do not wait for a graphics driver that hangs.
            await asyncio.wait_for(self._looked.wait(), FIRST_LOOK_S)

    async def close(self) -> None:
        """Idempotent."""
        self._leave()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _devices_changed(self, changes: tuple[Change, ...]) -> None:
        if any(change.device.kind in _KINDS for change in changes):
            self._stale.set()

    @property
    def _sensor(self) -> DeviceInfo | None:
        return next(iter(self._registry.present.of(DeviceKind.ACCELEROMETER)), None)

    async def _keep(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._ask_s if self._sensor else None):
                    await self._stale.wait()
            except TimeoutError:
                await self._look(displays=False)
                continue
            # Cleared first: what changes while it looks is looked at again.
            self._stale.clear()
            await self._look(displays=True)
            self._looked.set()

    async def _look(self, *, displays: bool) -> None:
        if displays:
            connectors = self._registry.present.of(DeviceKind.DISPLAY)
            self._displays = await asyncio.to_thread(displays_of, connectors, self._nodes.connector)
        self._tilt = await self._ask()
        found = resolve(self._configured, self._displays, self._tilt)
        if found != self.current:
            self.current = found
            logger.info("the screen is in %s: %s", found.screen, found.reason)
            self._on_change()

    async def _ask(self) -> Tilt | None:
        """Of a sensor that does not answer, what it said last; it is asked again."""
        sensor = self._sensor
        if sensor is None:
            return None
        try:
            gravity = await asyncio.to_thread(self._nodes.gravity, sensor)
        except (OSError, ValueError) as error:
            if str(error) != self._sensor_problem:
                logger.warning("accelerometer %s: %s", sensor.name, error)
            self._sensor_problem = str(error)
            return self._tilt
        self._sensor_problem = ""
        return tilt_of(gravity, self._tilt)
