# SPDX-License-Identifier: GPL-3.0-or-later
"""A time limit for what is awaited again and again and seldom takes long."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self


class Patience:
    """As `asyncio.timeout`, but one timer for all the times it is entered, and a deadline that may move.

    `asyncio.timeout` makes a timer each time, which stays on the loop's heap until it would have been due:
    with thousands of connections the garbage collector has tens of thousands of them to look through.
    `with` it around what may take long; raises TimeoutError there. For one task, one `with` at a time.
    `close` it in the end.
    """

    def __init__(self, deadline: Callable[[], float]) -> None:
        """`deadline`: in the loop's time; asked when one has passed, and then it may be a later one."""
        self._deadline = deadline
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        """Inside."""
        self._over = False

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        if self._timer is None:
            self._arm()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if not self._over or task is None:
            return
        self._over = False
        # Somebody else may have cancelled the task, too: then it stays so.
        if task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_at(self._deadline(), self._look)

    def _look(self) -> None:
        self._timer = None
        if self._task is None:
            return
        if asyncio.get_running_loop().time() < self._deadline():
            self._arm()
        else:
            self._over = True
            self._task.cancel()
