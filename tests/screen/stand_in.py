# SPDX-License-Identifier: GPL-3.0-or-later
"""`VideoTile` without a frame channel: the same properties, a drawing of a person for a picture."""

from PySide6.QtCore import Property, QPointF, Signal
from PySide6.QtGui import QColor, QLinearGradient, QPainter
from PySide6.QtQml import qmlRegisterType
from PySide6.QtQuick import QQuickItem, QQuickPaintedItem

_SCENES = (("#5B7C99", "#C9D6DF"), ("#7A6C5D", "#D9CFC1"), ("#4F6F64", "#C2D3CB"), ("#6B5B7B", "#D3CBDC"))
_registered: list[str] = []


class StandIn(QQuickPaintedItem):
    stream_changed = Signal()
    fill_changed = Signal()
    mirror_changed = Signal()
    turn_changed = Signal()

    def __init__(self, parent: QQuickItem | None = None) -> None:
        super().__init__(parent)
        self._stream, self._fill, self._mirror, self._turn = "", "cover", False, 0

    def _set_stream(self, stream: str) -> None:
        self._stream = stream
        self.stream_changed.emit()
        self.update()

    def _set_fill(self, fill: str) -> None:
        self._fill = fill
        self.fill_changed.emit()

    def _set_mirror(self, mirror: bool) -> None:
        self._mirror = mirror
        self.mirror_changed.emit()

    def _set_turn(self, turn: int) -> None:
        self._turn = turn
        self.turn_changed.emit()

    stream = Property(str, lambda self: self._stream, _set_stream, notify=stream_changed)
    fill = Property(str, lambda self: self._fill, _set_fill, notify=fill_changed)
    mirror = Property(bool, lambda self: self._mirror, _set_mirror, notify=mirror_changed)
    turn = Property(int, lambda self: self._turn, _set_turn, notify=turn_changed)
    hasPicture = Property(bool, lambda self: bool(self._stream), notify=stream_changed)  # noqa: N815
    pictureWidth = Property(int, lambda self: 640, notify=stream_changed)  # noqa: N815
    pictureHeight = Property(int, lambda self: 480, notify=stream_changed)  # noqa: N815
    painter = Property(str, lambda self: "software", constant=True)

    def paint(self, painter: QPainter) -> None:
        width, height = self.width(), self.height()
        dark, light = _SCENES[sum(self._stream.encode()) % len(_SCENES)]
        wall = QLinearGradient(0, 0, width, height)
        wall.setColorAt(0, QColor(light))
        wall.setColorAt(1, QColor(dark))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(0, 0, int(width) + 1, int(height) + 1, wall)
        head = min(width, height) * 0.17
        middle = QPointF(width / 2, height * 0.42)
        painter.setPen(QColor(0, 0, 0, 0))
        painter.setBrush(QColor("#2F3B47"))
        painter.drawEllipse(QPointF(width / 2, height * 0.42 + head * 3.1), head * 2.2, head * 2.0)
        painter.setBrush(QColor("#E3B590"))
        painter.drawEllipse(middle, head, head * 1.25)


def register() -> None:
    """In place of the real one, once for the process."""
    if not _registered:
        qmlRegisterType(StandIn, "CallAgent", 1, 0, "VideoTile")  # type: ignore[call-overload]
        _registered.append("CallAgent")
