# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures as a Qt model: a tile that stays keeps its row, so that its picture never blinks."""

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractListModel, QByteArray, QModelIndex, QObject, QPersistentModelIndex, Qt

ROLES = (
    "tile",
    "stream",
    "x",
    "y",
    "w",
    "h",
    "layer",
    "role",
    "name",
    "own",
    "video",
    "muted",
    "speaking",
    "reconnecting",
    "closed",
    "quality",
    "initials",
    "colour",
    "picture",
    "fill",
    "mirror",
)
"""QML's delegates see these in `model`; `tile` is the id."""
_FIRST_ROLE = int(Qt.ItemDataRole.UserRole)

Row = dict[str, Any]
_Index = QModelIndex | QPersistentModelIndex


class TileModel(QAbstractListModel):
    """On the GUI thread."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Row] = []

    def show(self, rows: Sequence[Row]) -> None:
        """These and no others, in this order; only what differs is told to the views."""
        wanted = {row["tile"] for row in rows}
        for index in reversed(range(len(self._rows))):
            if self._rows[index]["tile"] not in wanted:
                self._take_out(index)
        for index, row in enumerate(rows):
            if index < len(self._rows) and self._rows[index]["tile"] == row["tile"]:
                self._change(index, row)
                continue
            known = [each["tile"] for each in self._rows]
            if row["tile"] in known:
                self._take_out(known.index(row["tile"]))
            self.beginInsertRows(QModelIndex(), index, index)
            self._rows.insert(index, row)
            self.endInsertRows()

    def _take_out(self, index: int) -> None:
        self.beginRemoveRows(QModelIndex(), index, index)
        del self._rows[index]
        self.endRemoveRows()

    def _change(self, index: int, row: Row) -> None:
        before = self._rows[index]
        changed = [_FIRST_ROLE + number for number, role in enumerate(ROLES) if before[role] != row[role]]
        if changed:
            self._rows[index] = row
            where = self.index(index, 0)
            self.dataChanged.emit(where, where, changed)

    # --- what Qt asks, under Qt's names -------------------------------------------

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008, N802
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        number = role - _FIRST_ROLE
        if not 0 <= index.row() < len(self._rows) or not 0 <= number < len(ROLES):
            return None
        return self._rows[index.row()][ROLES[number]]

    def roleNames(self) -> dict[int, QByteArray]:  # noqa: N802
        return {_FIRST_ROLE + number: QByteArray(role.encode()) for number, role in enumerate(ROLES)}
