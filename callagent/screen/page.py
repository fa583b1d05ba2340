# SPDX-License-Identifier: GPL-3.0-or-later
"""The window with its page, from the QML files beside this module."""

import logging
from importlib.resources import as_file, files

from PySide6.QtCore import QUrl
from PySide6.QtGui import QFont
from PySide6.QtQml import QQmlApplicationEngine, QQmlError
from PySide6.QtQuick import QQuickWindow

from callagent.screen.kiosk import Kiosk
from callagent.screen.texts import Texts

logger = logging.getLogger(__name__)


class PageFailed(Exception):
    """The QML files do not load; what is wrong stands in the log."""


def open_page(kiosk: Kiosk) -> tuple[QQmlApplicationEngine, QQuickWindow]:
    """The window, not shown yet. Raises PageFailed. Keep both for as long as it is shown."""
    engine = QQmlApplicationEngine()
    engine.warnings.connect(_log)
    # It ends with the page that looks at it, and not before.
    kiosk.setParent(engine)
    engine.rootContext().setContextProperty("kiosk", kiosk)
    with as_file(files("callagent.screen") / "qml") as folder:
        engine.load(QUrl.fromLocalFile(str(folder / "Main.qml")))
    roots = engine.rootObjects()
    if not roots or not isinstance(roots[0], QQuickWindow):
        raise PageFailed("the page cannot be loaded")
    return engine, roots[0]


def _log(found: list[QQmlError]) -> None:
    for each in found:
        logger.warning("%s", each.toString())


def page_font(texts: Texts) -> QFont:
    font = QFont()
    font.setFamilies([*texts.fonts, "Noto Sans", "Noto Sans CJK SC", "Noto Sans Arabic", "DejaVu Sans"])
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    return font
