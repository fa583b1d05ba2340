# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs probes of encoders in another process, with a deadline for each."""

import contextlib
import json
import logging
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence

from callagent.media.encoders.base import EncoderSettings
from callagent.media.encoders.probe import MARK, PICTURES, Verdict

log = logging.getLogger(__name__)

START_S = 30.0
"""For the process to begin: Python's imports take seconds on a small board."""
LIMIT_S = 15.0
"""For one encoder, GStreamer's first search for plugins included."""
_KILLED_S = 1.0


def probe(
    names: Sequence[str],
    settings: EncoderSettings,
    *,
    pictures: int = PICTURES,
    limit_s: float = LIMIT_S,
    enough: Callable[[Verdict], bool] = lambda _: False,
    command: Sequence[str] = (sys.executable, "-m", "callagent.media.encoders.probe"),
) -> list[Verdict]:
    """Try encoders one after the other, in order, until a verdict is `enough`; blocks.

    One that hangs or crashes has failed; a new process goes on with the rest. `command` is the program that
    does it, for tests.
    """
    left, verdicts = list(names), []
    numbers = [settings.width, settings.height, settings.fps, settings.bitrate_bps, pictures]
    while left:
        with _Child([*command, *map(str, numbers), *left]) as child:
            for name in list(left):
                left.remove(name)
                verdicts.append(verdict := child.verdict(name, limit_s))
                if enough(verdict):
                    return verdicts
                if child.broken:
                    break
    return verdicts


class _Child:
    """The process; its output is read by a thread."""

    def __init__(self, command: Sequence[str]) -> None:
        self._messages: queue.SimpleQueue[dict[str, object] | None] = queue.SimpleQueue()
        self._begun = False
        self.broken = False
        """It hangs or has ended."""
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, name="encoder-probe:output", daemon=True)
        self._reader.start()

    def verdict(self, name: str, limit_s: float) -> Verdict:
        try:
            while True:
                message = self._messages.get(timeout=limit_s if self._begun else START_S)
                if message is None:
                    return self._broke(name, "the probe crashed")
                if "begins" in message:
                    self._begun = True
                elif message["name"] == name:
                    return Verdict(**message)  # type: ignore[arg-type]
        except queue.Empty:
            return self._broke(name, f"it gave nothing within {limit_s:.0f} s")

    def __enter__(self) -> "_Child":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            # What hangs in a driver cannot be ended; nobody waits for it.
            self._process.wait(_KILLED_S)
            self._reader.join(_KILLED_S)

    def _broke(self, name: str, reason: str) -> Verdict:
        self.broken = True
        log.warning("encoder %s: %s", name, reason)
        return Verdict(name, False, reason)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                if line.startswith(MARK):
                    self._messages.put(json.loads(line.removeprefix(MARK)))
        self._messages.put(None)
