# SPDX-License-Identifier: GPL-3.0-or-later
"""`VideoTile`, the QML item that shows one stream of the frame channel.

A new picture asks for one repaint; it is converted when the scene graph asks for the tile's node, so of
several pictures between two repaints only the newest is, and a tile nobody sees converts none.
"""

import logging
from collections.abc import Callable
from typing import cast, get_args

import av
from PySide6.QtCore import Property, QRect, QRectF, QTimer, Signal
from PySide6.QtGui import QColor, QImage
from PySide6.QtQml import qmlRegisterType
from PySide6.QtQuick import (
    QQuickItem,
    QQuickWindow,
    QSGNode,
    QSGSimpleTextureNode,
    QSGTexture,
    QSGTransformNode,
)

from callagent.protocol.frames import FrameFormatError, PictureHeader
from callagent.screen import frame_source
from callagent.screen.frame_source import FrameSource
from callagent.screen.painting import Painted, Painter
from callagent.screen.placement import Fill, place
from callagent.screen.scene_graph import PainterName, painter_of
from callagent.screen.tile_gpu import GpuPainter
from callagent.screen.tile_software import SoftwarePainter

logger = logging.getLogger(__name__)

_PAINTERS: dict[PainterName, Callable[[], Painter]] = {"software": SoftwarePainter, "gpu": GpuPainter}
_FILLS = get_args(Fill)
_TURNS = (0, 90, 180, 270)


def register(module: str = "CallAgent", major: int = 1) -> None:
    """Make `VideoTile` known to QML, before any page is loaded."""
    qmlRegisterType(VideoTile, module, major, 0, "VideoTile")  # type: ignore[call-overload]


class VideoTile(QQuickItem):
    """Draws nothing where there is no picture. On the GUI thread, which draws too (QSG_RENDER_LOOP=basic)."""

    stream_changed = Signal()
    fill_changed = Signal()
    turn_changed = Signal()
    mirror_changed = Signal()
    picture_changed = Signal()
    painter_changed = Signal()
    painted = Signal()
    """A picture, `drawn`, was converted and is part of the repaint that is going on."""

    def __init__(self, parent: QQuickItem | None = None) -> None:
        super().__init__(parent)
        self.setFlag(QQuickItem.Flag.ItemHasContents, True)
        self._source: FrameSource | None = None
        self._leave: Callable[[], None] | None = None
        self._stream = ""
        self._fill: Fill = "cover"
        self._turn = 0
        self._mirror = False
        self._size = (0, 0)
        """Of the picture, upright; zero while there is none."""
        self._painter: Painter = SoftwarePainter()
        self._painter_name: PainterName = "software"
        self._painter_chosen = False
        self._window: QQuickWindow | None = None
        """Not `window()`, whose answer the binding makes a child of this tile and ends with it."""
        self._shown = 0
        """The number of the picture that was converted last."""
        self.drawn: PictureHeader | None = None
        """What the channel says of it."""
        self._stale = False
        """The same picture is to be converted anew: the tile has another size, turn or fill."""
        self._forget = False
        """What was shown last is of a stream that has ended or is another's: it must not show again."""
        self._node: QSGTransformNode | None = None
        self._texture_node: QSGSimpleTextureNode | None = None
        self._painted: Painted | None = None
        self.visibleChanged.connect(self.update)
        self.windowChanged.connect(self._enter)

    # --- what QML sets and reads ----------------------------------------------------

    def _get_stream(self) -> str:
        return self._stream

    def _set_stream(self, stream: str) -> None:
        if stream == self._stream:
            return
        self._stop_listening()
        self._stream = stream
        self._shown = 0
        self.stream_changed.emit()
        self._set_size((0, 0))
        self._listen()

    def _get_fill(self) -> str:
        return self._fill

    def _set_fill(self, fill: str) -> None:
        if fill not in _FILLS:
            logger.warning("VideoTile.fill is one of %s, not %r", ", ".join(_FILLS), fill)
        elif fill != self._fill:
            self._fill = cast(Fill, fill)
            self.fill_changed.emit()
            self._draw_anew()

    def _get_turn(self) -> int:
        return self._turn

    def _set_turn(self, turn: int) -> None:
        if turn not in _TURNS:
            logger.warning("VideoTile.turn is 0, 90, 180 or 270, not %d", turn)
        elif turn != self._turn:
            self._turn = turn
            self.turn_changed.emit()
            self._draw_anew()

    def _get_mirror(self) -> bool:
        return self._mirror

    def _set_mirror(self, mirror: bool) -> None:
        if mirror != self._mirror:
            self._mirror = mirror
            self.mirror_changed.emit()
            self._draw_anew()

    def _has_picture(self) -> bool:
        return self._size != (0, 0)

    def _picture_width(self) -> int:
        return self._size[0]

    def _picture_height(self) -> int:
        return self._size[1]

    def _get_painter(self) -> str:
        return self._painter_name

    stream = Property(str, _get_stream, _set_stream, notify=stream_changed)
    fill = Property(str, _get_fill, _set_fill, notify=fill_changed)
    turn = Property(int, _get_turn, _set_turn, notify=turn_changed)
    mirror = Property(bool, _get_mirror, _set_mirror, notify=mirror_changed)
    hasPicture = Property(bool, _has_picture, notify=picture_changed)  # noqa: N815
    pictureWidth = Property(int, _picture_width, notify=picture_changed)  # noqa: N815
    pictureHeight = Property(int, _picture_height, notify=picture_changed)  # noqa: N815
    painter = Property(str, _get_painter, notify=painter_changed)

    # --- pictures -------------------------------------------------------------------

    def _listen(self) -> None:
        self._source = frame_source.installed()
        if self._source is None or not self._stream:
            return
        self._leave = self._source.listen(self._stream, self._hear)
        self.destroyed.connect(self._leave)
        self._hear()

    def _stop_listening(self) -> None:
        if self._leave is not None:
            leave, self._leave = self._leave, None
            self.destroyed.disconnect(leave)
            leave()

    def _hear(self) -> None:
        """A picture came, or the stream began or ended."""
        assert self._source is not None
        if self._stream not in self._source.streams:
            self._shown = 0
            self._set_size((0, 0))
            return
        try:
            with self._source.read(self._stream, self._shown) as picture:
                size = picture.upright_size if picture is not None else None
        except FrameFormatError as error:
            self._complain(error)
            return
        if size is not None:
            self._set_size(size)
            self.update()

    def _set_size(self, size: tuple[int, int]) -> None:
        if size != self._size:
            self._size = size
            self._forget = self._forget or size == (0, 0)
            self.picture_changed.emit()
            self.update()

    def _draw_anew(self) -> None:
        self._stale = True
        self.update()

    def geometryChange(self, new: QRectF | QRect, old: QRectF | QRect) -> None:  # noqa: N802
        super().geometryChange(new, old)
        if new.size() != old.size():
            self._draw_anew()

    def _enter(self, window: QQuickWindow | None) -> None:
        self._window = window
        self._painter_chosen = False

    # --- the scene graph ------------------------------------------------------------

    def updatePaintNode(  # type: ignore[override]  # noqa: N802 - the stubs know of no None
        self, old: QSGNode | None, _: QQuickItem.UpdatePaintNodeData
    ) -> QSGNode | None:
        """Called by the scene graph after `update` was. `old`: what this gave before, if it is there."""
        if old is None:
            self._node = self._texture_node = self._painted = None
        if self._forget:
            self._blank()
            self._forget = False
        if self._has_picture() and (painted := self._convert()) is not None:
            self._show(painted)
        return self._node

    def _convert(self) -> Painted | None:
        """The newest picture, if it was not converted already."""
        window = self._window
        if self._source is None or window is None or not self.isVisible():
            return None
        self._choose_painter(window)
        again = self._stale or self._painted is None
        try:
            with self._source.read(self._stream, 0 if again else self._shown) as picture:
                if picture is None:
                    return None
                header = picture.header
                rotation = (header.rotation + self._turn) % 360
                placement = place(
                    header.width, header.height, rotation, self._fill, self.width(), self.height()
                )
                if placement is None:
                    return None
                painted = self._painter.paint(
                    picture, placement, rotation, self._mirror, window.effectiveDevicePixelRatio()
                )
        except (FrameFormatError, av.FFmpegError) as error:
            self._complain(error)
            return None
        if not picture.intact:
            # Written over while it was converted: there is a newer one.
            self.update()
            return None
        self._stale = False
        self._shown, self.drawn = header.counter, header
        return painted

    def _show(self, painted: Painted) -> None:
        window = self._window
        assert window is not None
        texture = window.createTextureFromImage(
            painted.image, QQuickWindow.CreateTextureOption.TextureIsOpaque
        )
        if self._node is None or self._texture_node is None:
            self._node, self._texture_node = QSGTransformNode(), QSGSimpleTextureNode()
            self._texture_node.setOwnsTexture(True)
            self._texture_node.setFiltering(QSGTexture.Filtering.Linear)
            self._texture_node.setTexture(texture)
            self._node.appendChildNode(self._texture_node)
        else:
            self._texture_node.setTexture(texture)
        self._texture_node.setRect(painted.rect)
        self._node.setMatrix(painted.matrix)
        # Only now may the memory of the picture before go: until here its texture was in use.
        self._painted = painted
        self.painted.emit()

    def _blank(self) -> None:
        """Nothing of the last picture is left, neither on the screen nor in memory."""
        window = self._window
        if self._texture_node is None or self._painted is None or window is None:
            return
        black = QImage(1, 1, QImage.Format.Format_RGB32)
        black.fill(QColor("black"))
        self._texture_node.setTexture(window.createTextureFromImage(black))
        self._texture_node.setRect(QRectF())
        self._painted = self.drawn = None

    def _choose_painter(self, window: QQuickWindow) -> None:
        """Once for each window."""
        if self._painter_chosen:
            return
        self._painter_chosen = True
        name = painter_of(window)
        if name != self._painter_name:
            self._painter_name = name
            self._painter = _PAINTERS[name]()
            # Not amid the scene graph's work: bindings that follow it change other items.
            QTimer.singleShot(0, self.painter_changed.emit)

    def _complain(self, error: Exception) -> None:
        logger.warning("a picture of %s cannot be shown: %s", self._stream, error)
