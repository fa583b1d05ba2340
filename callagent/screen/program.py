# SPDX-License-Identifier: GPL-3.0-or-later
"""The running screen: Qt's application, the window, the link to the agent, the display's sleep."""

import contextlib
import logging
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QGuiApplication

from callagent.screen import frame_source, tile
from callagent.screen.agent_link import AgentLink, Told
from callagent.screen.darken import darken
from callagent.screen.display_power import DisplayPower, find_switch
from callagent.screen.kiosk import Kiosk
from callagent.screen.page import open_page, page_font
from callagent.screen.platform import Platform
from callagent.screen.settings import ScreenSettings
from callagent.screen.television import find_televisions
from callagent.screen.texts import Texts

logger = logging.getLogger(__name__)


class _FromAgent(QObject):
    """Brings what the link hears onto the GUI thread."""

    heard = Signal(object)

    def tell(self, told: Told) -> None:
        # From the link's thread; Qt queues it, since the receiver lives on another one.
        with contextlib.suppress(RuntimeError):  # the window is gone already
            self.heard.emit(told)


def run(
    settings: ScreenSettings,
    texts: Texts,
    platform: Platform,
    socket_path: Path | None,
    *,
    full_screen: bool,
) -> int:
    app = QGuiApplication.instance() or QGuiApplication(sys.argv[:1])
    assert isinstance(app, QGuiApplication)
    app.setApplicationName("callagent")
    app.setDesktopFileName("callagent")
    app.setFont(page_font(texts))
    app.setOverrideCursor(Qt.CursorShape.BlankCursor)
    app.setLayoutDirection(
        Qt.LayoutDirection.RightToLeft if texts.right_to_left else Qt.LayoutDirection.LeftToRight
    )
    from_agent = _FromAgent()
    link = AgentLink(from_agent.tell, socket_path)
    kiosk = Kiosk(settings, texts, link.send, still=not settings.animations)
    from_agent.heard.connect(kiosk.hear, Qt.ConnectionType.QueuedConnection)
    televisions = find_televisions() if settings.sleep_after_s > 0 else None
    switches = [each for each in (televisions, find_switch(platform.name)) if each is not None]
    power = DisplayPower(switches, settings.sleep_after_s, kiosk)

    def quit_app(_number: int, _frame: FrameType | None) -> None:
        app.quit()

    # Python runs these between two ticks of the kiosk's timer.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, quit_app)
    tile.register()
    pictures = frame_source.FrameSource()
    frame_source.install(pictures)
    engine, window = open_page(kiosk)
    logger.info("drawing with %s on %s", "software" if platform.software else "the GPU", platform.name)
    if full_screen:
        # An X server without a window manager makes no window as large as the screen by itself.
        app.primaryScreen().geometryChanged.connect(window.setGeometry)
        window.setGeometry(app.primaryScreen().geometry())
        window.showFullScreen()
    else:
        window.resize(1280, 800)
        window.show()
    link.start()
    kiosk.run()
    power.start()
    try:
        code = int(app.exec())
    finally:
        link.close()
        power.close()
        if televisions is not None:
            televisions.close()
        # The last picture may be somebody's face.
        window.close()
        del window, engine
        frame_source.install(None)
        pictures.close()
    if platform.name == "linuxfb":
        _end_linuxfb(code)
    return code


def _end_linuxfb(code: int) -> NoReturn:
    """Without Qt's own end, which is a segmentation fault once its touch screen was touched (6.12)."""
    for problem in darken(terminal=Path(os.ttyname(0)) if os.isatty(0) else None):
        logger.warning("%s", problem)
    logging.shutdown()
    os._exit(code)
