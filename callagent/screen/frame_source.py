# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the tiles of this process have their pictures from: the frame channel on Qt's event loop.

No thread: the channel's descriptor wakes the GUI thread, which reads where the pictures lie. `install` makes
a source the one that tiles use.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from PySide6.QtCore import QObject, QSocketNotifier, QTimer

from callagent.frames import FrameClient, Picture

_RECONNECT_MS = 250

Heard = Callable[[], None]
"""There is a new picture, or the stream has begun or ended."""


class FrameSource(QObject):
    """On the GUI thread."""

    def __init__(self, path: Path | None = None, parent: QObject | None = None) -> None:
        """`path` None: `default_frames_path()`."""
        super().__init__(parent)
        self._client = FrameClient(path, retry_s=_RECONNECT_MS / 1000)
        self._listeners: dict[str, list[Heard]] = {}
        self._notifier = QSocketNotifier(self._client.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._step)
        self._reconnect = QTimer(self)
        self._reconnect.setInterval(_RECONNECT_MS)
        self._reconnect.timeout.connect(self._step)
        self._reconnect.start(0)

    @property
    def connected(self) -> bool:
        """To the agent."""
        return self._client.connected

    @property
    def streams(self) -> frozenset[str]:
        """Those that are there and listened to."""
        return self._client.streams

    def listen(self, stream: str, heard: Heard) -> Callable[[], None]:
        """Have this called, and the stream sent, until what is returned is called."""
        self._listeners.setdefault(stream, []).append(heard)
        self._want()

        def leave() -> None:
            listeners = self._listeners.get(stream, [])
            if heard in listeners:
                listeners.remove(heard)
            if not listeners:
                self._listeners.pop(stream, None)
                self._want()

        return leave

    def read(self, stream: str, seen: int = 0) -> AbstractContextManager[Picture | None]:
        """As `FrameClient.read`."""
        return self._client.read(stream, seen)

    def close(self) -> None:
        self._notifier.setEnabled(False)
        self._reconnect.stop()
        self._client.close()

    def _want(self) -> None:
        self._client.want(self._listeners)

    def _step(self) -> None:
        news = self._client.step()
        if self._client.connected:
            self._reconnect.stop()
        elif not self._reconnect.isActive() or self._reconnect.interval() != _RECONNECT_MS:
            self._reconnect.start(_RECONNECT_MS)
        for stream in news:
            for heard in list(self._listeners.get(stream, ())):
                heard()


_installed: list[FrameSource] = []


def install(source: FrameSource | None) -> None:
    """The source that tiles made from now on use; None: none."""
    _installed[:] = [] if source is None else [source]


def installed() -> FrameSource | None:
    return _installed[0] if _installed else None
