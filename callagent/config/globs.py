# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns such as `Logitech*`, capitals or not: of devices, of sound cards, of boards. Pure."""

from collections.abc import Iterable
from fnmatch import fnmatchcase


def fits(patterns: Iterable[str], texts: Iterable[str]) -> bool:
    """Whether one of the patterns fits one of the texts."""
    lowered = [text.lower() for text in texts]
    return any(fnmatchcase(text, pattern.lower()) for pattern in patterns for text in lowered)
