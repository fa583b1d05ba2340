# SPDX-License-Identifier: GPL-3.0-or-later
"""A window with one VideoTile on red, driven by JSON lines on stdin, one answer each on stdout.

    python -m tests.unit.screen.tile_page SOCKET

    {"set": {...}}      properties of the tile, `width` and `height` of the window
    {"painted": n}      answers when n more pictures were painted
    {"picture": bool}   answers when hasPicture is so
    {"grab": FILE}      the window as PNG
    {"state": true}     answers with the tile's properties and what was counted
    {"destroy": true}   the tile, as the end of a call does; answers with what is left of the window

The platform and the scene graph's backend are those of the environment; TILE_PAGE_PAINTER=gpu has any OpenGL
taken for that of a GPU.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import shiboken6
from PySide6.QtCore import QObject, QSocketNotifier, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtQml import QQmlApplicationEngine
from PySide6.QtQuick import QQuickWindow

from callagent.screen import frame_source, scene_graph, tile
from callagent.screen.frame_source import FrameSource
from callagent.screen.tile import VideoTile

QML = b"""
import QtQuick
import CallAgent
Window {
    visible: true
    width: 160; height: 120
    color: "red"
    VideoTile { objectName: "tile"; anchors.fill: parent }
}
"""
DEADLINE_S = 20.0


class Page(QObject):
    """Answers what is asked."""

    def __init__(self, window: QQuickWindow, shown: VideoTile) -> None:
        super().__init__()
        self._window = window
        self._tile = shown
        self._painted = 0
        self._frames = 0
        self._rest = b""
        shown.painted.connect(self._count_picture)
        window.frameSwapped.connect(self._count_frame)
        self._asked = QSocketNotifier(0, QSocketNotifier.Type.Read, self)
        self._asked.activated.connect(self._read)

    def _count_picture(self) -> None:
        self._painted += 1

    def _count_frame(self) -> None:
        self._frames += 1

    def _read(self) -> None:
        data = os.read(0, 65536)
        if not data:
            QGuiApplication.quit()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._do(json.loads(line))

    def _do(self, command: dict[str, Any]) -> None:
        ((verb, what),) = command.items()
        if verb == "set":
            for name, value in what.items():
                (self._window if name in ("width", "height") else self._tile).setProperty(name, value)
            answer({})
        elif verb == "painted":
            enough, deadline = self._painted + what, time.monotonic() + DEADLINE_S
            self._wait(lambda: self._painted >= enough, deadline)
        elif verb == "picture":
            self._wait(lambda: self._tile.property("hasPicture") == what, time.monotonic() + DEADLINE_S)
        elif verb == "grab":
            self._window.grabWindow().save(what)
            answer({})
        elif verb == "destroy":
            self._tile.destroyed.connect(self._tell_what_is_left)
            self._tile.deleteLater()
        else:
            names = ("hasPicture", "pictureWidth", "pictureHeight", "painter")
            state = {name: self._tile.property(name) for name in names}
            drawn = self._tile.drawn.counter if self._tile.drawn is not None else 0
            answer(state | {"painted": self._painted, "frames": self._frames, "drawn": drawn})

    def _tell_what_is_left(self) -> None:
        # Not before Qt is back from its destructor, which the binding learns of last.
        QTimer.singleShot(0, lambda: answer({"window": shiboken6.isValid(self._window)}))

    def _wait(self, done: Any, deadline: float) -> None:
        if done():
            answer({})
        elif time.monotonic() > deadline:
            answer({"error": "nothing happened in time"})
        else:
            QTimer.singleShot(5, lambda: self._wait(done, deadline))


def answer(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)  # noqa: T201 - to the test


def main() -> int:
    app = QGuiApplication(sys.argv[:1])
    if os.environ.get("TILE_PAGE_PAINTER") == "gpu":
        scene_graph.gl_renderer = lambda: "a GPU"  # type: ignore[assignment]
    tile.register()
    source = FrameSource(Path(sys.argv[1]))
    frame_source.install(source)
    engine = QQmlApplicationEngine()
    engine.loadData(QML)
    (window,) = engine.rootObjects()
    assert isinstance(window, QQuickWindow)
    shown = window.findChild(VideoTile, "tile")
    assert shown is not None
    page = Page(window, shown)
    answer({"ready": True})
    code = app.exec()
    source.close()
    del page, engine
    return code


if __name__ == "__main__":
    sys.exit(main())
