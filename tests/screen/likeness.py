# SPDX-License-Identifier: GPL-3.0-or-later
"""How much two pictures of a page are alike, when letters may differ by a pixel."""

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage

_ACROSS = 160
"""Pixels of the smaller pictures that are compared."""


def likeness(one: QImage, other: QImage) -> float:
    """1 for the same picture, around 0 for any two; -1 when they are not even of one size."""
    if one.size() != other.size():
        return -1.0
    first, second = _small(one), _small(other)
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / scale if scale else 0.0


def _small(picture: QImage) -> npt.NDArray[np.float64]:
    small = picture.scaledToWidth(_ACROSS, Qt.TransformationMode.SmoothTransformation)
    grey = small.convertToFormat(QImage.Format.Format_Grayscale8)
    rows = np.frombuffer(grey.constBits(), np.uint8).reshape(grey.height(), grey.bytesPerLine())
    return rows[:, : grey.width()].astype(np.float64)
