# SPDX-License-Identifier: GPL-3.0-or-later
"""The privacy switch: on as long as anything keeps it on. On the loop."""

import logging
from collections.abc import Callable

logger = logging.getLogger(__name__)

SOFTWARE = "software"
"""The source that the control API and buttons set and clear; shutters and switches are their own."""
CAMERA = "camera"
"""The shutter of the camera itself (V4L2_CID_PRIVACY)."""

REASON = "Privacy is on"
"""On the slate and in status."""


class Privacy:
    """Who keeps the switch on; each source clears only what it set, and nobody remote is a source."""

    def __init__(self, on_change: Callable[[bool], None]) -> None:
        """`on_change` is told when the switch as a whole goes on or off."""
        self._sources: set[str] = set()
        self._on_change = on_change

    @property
    def on(self) -> bool:
        return bool(self._sources)

    @property
    def sources(self) -> list[str]:
        return sorted(self._sources)

    def set(self, source: str, on: bool) -> None:
        before = self.on
        if on:
            self._sources.add(source)
        else:
            self._sources.discard(source)
        if self.on != before:
            logger.info("privacy %s, by %s", "on" if self.on else "off", source)
            self._on_change(self.on)

    def toggle(self) -> None:
        """What a button does; it takes back only what was set in software."""
        self.set(SOFTWARE, SOFTWARE not in self._sources)
