# SPDX-License-Identifier: GPL-3.0-or-later
"""What we rely on in PySide6, so that an upgrade that changes it is noticed here and not on a wall."""

import sys
from collections.abc import Callable

import pytest
from PySide6.QtCore import QObject, QRectF, Signal
from PySide6.QtQuick import QSGSimpleTextureNode

CALLS = 2000


class Sender(QObject):
    number = Signal(int)


@pytest.mark.parametrize("constant", [None, True, False], ids=str)
@pytest.mark.parametrize("kind", ["method", "answer", "signal"])
def test_no_call_takes_a_reference_it_was_not_given(constant: object, kind: str) -> None:
    """6.12.0 does; None, True and False are counted before Python 3.12, and a program without None ends."""
    sender, node = Sender(), QSGSimpleTextureNode()
    calls: dict[str, Callable[[], object]] = {
        "method": lambda: node.setRect(QRectF(0, 0, 1, 1)),
        "answer": node.ownsTexture,
        "signal": lambda: sender.number.emit(1),
    }
    call = calls[kind]
    call()
    before = sys.getrefcount(constant)
    for _ in range(CALLS):
        call()
    assert sys.getrefcount(constant) - before > -CALLS / 2
