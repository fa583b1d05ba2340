# SPDX-License-Identifier: GPL-3.0-or-later
"""The page as it has to be, drawn here from what the guest's own agent says."""

from PySide6.QtCore import QPoint, QPointF
from PySide6.QtGui import QImage

import tests.screen.conftest  # noqa: F401  (the environment, before Qt)
from callagent.cli.screen import settings_of
from callagent.config import AgentConfig
from callagent.protocol import control as api
from callagent.screen import tile
from callagent.screen.agent_link import Heard, Offered
from tests.screen.stage import Stage, application
from tests.unit.screen.agents import told

LANDSCAPE, PORTRAIT = (800, 480), (480, 800)


class Expected:
    """One page at a time; `close` it."""

    def __init__(self, screen: dict[str, object], size: tuple[int, int] = LANDSCAPE) -> None:
        config = AgentConfig.model_validate(
            {"identity": {"user": "kiosk", "usersig": "x"}, "screen": screen, "log": {}}
        )
        # With the real tiles, which show no picture as there is no agent here.
        application(tile.register)
        self._stage = Stage(settings_of(config), *size)
        self._stage.hear(Offered(frozenset()))

    def hear(self, status: api.StatusData) -> QImage:
        self._stage.hear(Heard(told(status)))
        return self.picture()

    def picture(self) -> QImage:
        return self._stage.picture().convertToFormat(QImage.Format.Format_RGB32)

    def middle_of(self, name: str) -> QPoint:
        """Of what can be touched, in the window's pixels."""
        item = self._stage.named(name)
        return item.mapToScene(QPointF(item.width() / 2, item.height() / 2)).toPoint()

    def close(self) -> None:
        self._stage.close()
