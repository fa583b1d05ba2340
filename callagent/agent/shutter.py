# SPDX-License-Identifier: GPL-3.0-or-later
"""The camera's own shutter as a privacy switch (V4L2_CID_PRIVACY). On the loop.

A camera tells of its shutter while it streams. Privacy closes it, so from then on it is asked.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from callagent.devices.video4linux import V4l2Camera
from callagent.ports import SourceError

logger = logging.getLogger(__name__)

ASK_S = 1.0


class Shutter:
    """Tells `on_change` when the shutter of a watched camera closes and opens."""

    def __init__(self, on_change: Callable[[bool], None]) -> None:
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._asking: asyncio.Task[None] | None = None

    def watch(self, camera: Any) -> None:
        """Before it is opened; of cameras that are no V4L2 device there is nothing to tell."""
        if isinstance(camera, V4l2Camera):

            def told(closed: bool) -> None:
                with contextlib.suppress(RuntimeError):  # the loop is closed: the agent has ended
                    self._loop.call_soon_threadsafe(self._changed, camera, closed)

            camera.on_privacy = told

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def _changed(self, camera: V4l2Camera, closed: bool) -> None:
        if closed and (self._asking is None or self._asking.done()):
            self._on_change(True)
            self._asking = asyncio.create_task(self._until_open(camera), name="shutter")

    async def _until_open(self, camera: V4l2Camera) -> None:
        while True:
            await asyncio.sleep(ASK_S)
            try:
                if not await asyncio.to_thread(camera.privacy):
                    break
            except SourceError as error:
                # Pulled out: another camera's shutter is its own affair.
                logger.info("the shutter of %s: %s", camera.name, error)
                break
        self._on_change(False)
