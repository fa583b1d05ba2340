# SPDX-License-Identifier: GPL-3.0-or-later
"""The real page in a window nobody sees: what stands on it, and its picture."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from PySide6.QtCore import (
    QDate,
    QDateTime,
    QEvent,
    QPoint,
    QPointF,
    QRectF,
    Qt,
    QTime,
    qInstallMessageHandler,
)
from PySide6.QtGui import QFont, QGuiApplication, QImage, QTextLayout
from PySide6.QtQuick import QQuickItem
from PySide6.QtTest import QTest

from callagent.screen.agent_link import Command, Told
from callagent.screen.kiosk import Kiosk
from callagent.screen.page import open_page, page_font
from callagent.screen.settings import ScreenSettings
from callagent.screen.texts import load_texts
from tests.screen import stand_in

WALL = QDateTime(QDate(2026, 11, 23), QTime(14, 5))
_kept: list[QGuiApplication] = []


def application(register: Callable[[], None] = stand_in.register) -> QGuiApplication:
    """The only one there may be, with a `VideoTile` registered."""
    if not _kept:
        _kept.append(QGuiApplication([]))
        register()
    return _kept[0]


@dataclass
class Stage:
    """`with_page` it, look at it, `close` it."""

    settings: ScreenSettings
    width: int
    height: int
    now: float = 100.0
    sent: list[Command] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """What Qt and QML said was wrong."""

    def __post_init__(self) -> None:
        app = application()
        texts = load_texts(self.settings.language)
        app.setFont(page_font(texts))
        qInstallMessageHandler(lambda _kind, _where, text: self.complaints.append(text or ""))
        self.kiosk = Kiosk(
            self.settings,
            texts,
            self.sent.append,
            clock=lambda: self.now,
            wall=lambda: WALL,
            still=True,
        )
        self.engine, self.window = open_page(self.kiosk)
        self.window.resize(self.width, self.height)
        self.window.show()
        self.settle()

    def hear(self, *told: Told) -> None:
        for each in told:
            self.kiosk.hear(each)
        self.settle()

    def settle(self) -> None:
        """Until Qt has nothing more to do: bindings, loaders, layouts."""
        for _ in range(2):
            _process_events()
            # Rows and columns are laid out when a picture is due, and Qt takes its time for that.
            self.picture()

    def picture(self) -> QImage:
        return self.window.grabWindow()

    def close(self) -> None:
        self.window.close()
        self.window.deleteLater()
        self.engine.deleteLater()
        QGuiApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        _process_events()
        qInstallMessageHandler(None)

    # --- what stands there ----------------------------------------------------------

    def items(self) -> Iterator[QQuickItem]:
        """All that can be seen, parents first."""
        yield from _visible(self.window.contentItem())

    def named(self, name: str) -> QQuickItem:
        return next(item for item in self.items() if item.objectName() == name)

    def texts(self) -> list["Written"]:
        return [
            Written(item) for item in self.items() if item.inherits("QQuickText") and item.property("text")
        ]

    def controls(self) -> list[QQuickItem]:
        return [item for item in self.items() if item.property("control") is True]

    @property
    def unit(self) -> float:
        return min(self.width, self.height) / 100

    def tap(self, item: QQuickItem) -> None:
        """In its middle, wherever the page is turned to."""
        middle = item.mapToScene(QPointF(item.width() / 2, item.height() / 2))
        at = QPoint(round(middle.x()), round(middle.y()))
        QTest.mouseClick(self.window, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
        self.settle()

    def drag(self, item: QQuickItem, by: tuple[float, float]) -> None:
        """From its middle, in page pixels, with a few points on the way as a finger makes them."""
        width, height = item.width() / 2, item.height() / 2
        ways = [(share / 4 * by[0], share / 4 * by[1]) for share in range(5)]
        points = [item.mapToScene(QPointF(width + x, height + y)).toPoint() for x, y in ways]
        button, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        QTest.mousePress(self.window, button, none, points[0])
        for point in points[1:]:
            QTest.mouseMove(self.window, point)
        QTest.mouseRelease(self.window, button, none, points[-1])
        self.settle()


class Written:
    """One text on the page."""

    def __init__(self, item: QQuickItem) -> None:
        self.item = item
        self.name = item.objectName()
        self.text: str = item.property("text")

    def __repr__(self) -> str:
        return f"{self.name or 'text'} {self.text!r} in {self.box.getRect()}"

    @property
    def box(self) -> QRectF:
        return _scene_rect(self.item, QRectF(0, 0, self.item.width(), self.item.height()))

    @property
    def overflows(self) -> bool:
        item: Any = self.item
        return bool(
            item.property("truncated")
            or item.property("contentWidth") > item.width() + 1
            or item.property("contentHeight") > item.height() + 1
        )

    @property
    def ink(self) -> QRectF:
        """Where its letters are, by its alignment."""
        item = self.item
        width = min(item.property("contentWidth"), item.width())
        height = min(item.property("contentHeight"), item.height())
        free_x, free_y = item.width() - width, item.height() - height
        # Qt::Alignment; a text that is as large as its letters has none of ours.
        left = {2: free_x, 4: free_x / 2}.get(item.property("across"), 0.0)
        top = {64: free_y, 128: free_y / 2}.get(item.property("down"), 0.0)
        return _scene_rect(item, QRectF(left, top, width, height))

    @property
    def pixels(self) -> float:
        """Size of its letters as they came out."""
        return float(self.item.property("fontInfo").property("pixelSize").toNumber())

    def missing_glyphs(self) -> bool:
        """Whether no font has one of its characters: an empty box would be shown."""
        font = self.item.property("font")
        assert isinstance(font, QFont)
        layout = QTextLayout(self.text, font)
        layout.beginLayout()
        line = layout.createLine()
        line.setLineWidth(1e6)
        layout.endLayout()
        runs = layout.glyphRuns()
        return not runs or any(index == 0 for run in runs for index in run.glyphIndexes())


def _process_events() -> None:
    for _ in range(5):
        QGuiApplication.sendPostedEvents()
        QGuiApplication.processEvents()


def _visible(item: QQuickItem) -> Iterator[QQuickItem]:
    if not item.isVisible() or item.opacity() == 0:
        return
    yield item
    for child in item.childItems():
        yield from _visible(child)


def _scene_rect(item: QQuickItem, rect: QRectF) -> QRectF:
    return item.mapRectToScene(rect)
