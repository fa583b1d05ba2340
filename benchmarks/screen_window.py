# SPDX-License-Identifier: GPL-3.0-or-later
"""The screen's place in its benchmark: one VideoTile as large as the display; figures of itself at the end.

python -m benchmarks.screen_window SOCKET WIDTH HEIGHT WARM_UP_S SECONDS X_SERVER_PID
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
from PySide6.QtCore import QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtQml import QQmlApplicationEngine
from PySide6.QtQuick import QQuickWindow

from benchmarks.process import cpu_s, resident_mb
from benchmarks.screen_feeder import STREAM
from callagent.screen import frame_source, tile
from callagent.screen.frame_source import FrameSource
from callagent.screen.tile import VideoTile

QML = """
import QtQuick
import CallAgent
Window {
    visible: true
    flags: Qt.FramelessWindowHint
    width: %d; height: %d
    color: "black"
    VideoTile { objectName: "tile"; anchors.fill: parent; stream: "%s" }
}
"""


class Measurement:
    """Of one tile, between `begin` and `end`."""

    def __init__(self, window: QQuickWindow, shown: VideoTile, x_server: int) -> None:
        self._tile = shown
        self._x_server = x_server
        self._waiting: int | None = None
        self._put_to_drawn_s: list[float] = []
        self._pictures = 0
        self._spent = (0.0, 0.0)
        self._began = 0.0
        shown.painted.connect(self._painted)
        window.frameSwapped.connect(self._swapped)

    def begin(self) -> None:
        self._pictures = 0
        self._put_to_drawn_s.clear()
        self._began, self._spent = time.monotonic(), self._cpu()

    def end(self) -> None:
        seconds = time.monotonic() - self._began
        own, server = (now - then for now, then in zip(self._cpu(), self._spent, strict=True))
        figures = {
            "cpu_percent": 100 * own / seconds,
            "x_server_percent": 100 * server / seconds,
            "fps": self._pictures / seconds,
            "p50_ms": float(np.percentile(self._put_to_drawn_s, 50)) * 1000,
            "p95_ms": float(np.percentile(self._put_to_drawn_s, 95)) * 1000,
            "resident_mb": resident_mb(),
        }
        print(json.dumps(figures), flush=True)
        QGuiApplication.quit()

    def _cpu(self) -> tuple[float, float]:
        return cpu_s(os.getpid()), cpu_s(self._x_server)

    def _painted(self) -> None:
        drawn = self._tile.drawn
        self._waiting = drawn.put_ns if drawn is not None else None

    def _swapped(self) -> None:
        if self._waiting is not None:
            self._pictures += 1
            self._put_to_drawn_s.append((time.monotonic_ns() - self._waiting) / 1e9)
            self._waiting = None


def main() -> int:
    path, width, height = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    warm_up_s, seconds, x_server = float(sys.argv[4]), float(sys.argv[5]), int(sys.argv[6])
    app = QGuiApplication(sys.argv[:1])
    tile.register()
    source = FrameSource(path)
    frame_source.install(source)
    engine = QQmlApplicationEngine()
    engine.loadData((QML % (width, height, STREAM)).encode())
    (window,) = engine.rootObjects()
    assert isinstance(window, QQuickWindow)
    shown = window.findChild(VideoTile, "tile")
    assert shown is not None
    measurement = Measurement(window, shown, x_server)
    QTimer.singleShot(round(warm_up_s * 1000), measurement.begin)
    QTimer.singleShot(round((warm_up_s + seconds) * 1000), measurement.end)
    code = app.exec()
    source.close()
    return code


if __name__ == "__main__":
    sys.exit(main())
