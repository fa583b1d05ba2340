# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of the encoders of this machine: results of probes, kept from one start to the next."""

import dataclasses
import hashlib
import json
import logging
import os
import platform
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from callagent.media.encoders.base import EncoderSettings
from callagent.media.encoders.probe import Verdict
from callagent.media.encoders.probing import probe
from callagent.media.encoders.registry import KINDS, EncoderKind, library_versions

log = logging.getLogger(__name__)

REFUSED_S = 86_400.0
"""A refusal is looked at again after so long: the device may have been in somebody else's use."""

Prober = Callable[[Sequence[str], EncoderSettings], Sequence[Verdict]]


def _probe(names: Sequence[str], settings: EncoderSettings) -> Sequence[Verdict]:
    return probe(names, settings, enough=lambda verdict: verdict.ok)


class Verdicts:
    """Asks for probes in the background, and remembers. Callable from any thread.

    A result belongs to encoder, size, kernel, driver and device, and library versions: it is asked for
    anew when one of them is another.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        prober: Prober = _probe,
        kinds: Mapping[str, EncoderKind] = KINDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`path`: a file to keep them in; None: they are forgotten with this process."""
        self._path = path
        self._prober = prober
        self._kinds = kinds
        self._now = now
        self._lock = threading.Lock()
        self._known: dict[str, tuple[Verdict, float]] = {}
        self._wanted: list[tuple[tuple[str, ...], EncoderSettings]] = []
        self._asked: set[tuple[tuple[str, ...], int, int]] = set()
        self._thread: threading.Thread | None = None
        self.on_change: Callable[[], None] = lambda: None
        """Called on the probes' thread when something became known."""
        self._load()

    def of(self, name: str, settings: EncoderSettings) -> Verdict | None:
        """None: not known."""
        key = self._key(name, settings)
        with self._lock:
            known = self._known.get(key)
        if known is None or (not known[0].ok and self._now() - known[1] > REFUSED_S):
            return None
        return known[0]

    def want(self, names: Sequence[str], settings: EncoderSettings) -> None:
        """Have them tried in the background, in this order until one is good. Returns at once."""
        asked = (tuple(names), settings.width, settings.height)
        with self._lock:
            if not names or asked in self._asked:
                return
            self._asked.add(asked)
            self._wanted.append((tuple(names), settings))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="encoder-probe", daemon=True)
                self._thread.start()

    def wait_done(self, timeout_s: float | None = None) -> bool:
        """Block until no probe is wanted or running."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
        return thread is None or not thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._wanted:
                    self._thread = None
                    return
                names, settings = self._wanted.pop(0)
            try:
                verdicts = self._prober(names, settings)
            except Exception:
                log.exception("encoders could not be tried")
                continue
            for verdict in verdicts:
                log.info(
                    "encoder %s at %dx%d: %s",
                    verdict.name,
                    settings.width,
                    settings.height,
                    f"{verdict.fps:.0f} pictures a second" if verdict.ok else verdict.reason,
                )
            with self._lock:
                for verdict in verdicts:
                    self._known[self._key(verdict.name, settings)] = (verdict, self._now())
            self._save()
            self.on_change()

    def _key(self, name: str, settings: EncoderSettings) -> str:
        facts = (platform.release(), library_versions(), self._kinds[name].identity())
        digest = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
        return f"{name} {settings.width}x{settings.height} {digest}"

    def _load(self) -> None:
        if self._path is None:
            return
        try:
            entries: dict[str, Any] = json.loads(self._path.read_text())
            self._known = {
                key: (Verdict(**entry["verdict"]), entry["time"]) for key, entry in entries.items()
            }
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("%s is left out: %s", self._path, error)

    def _save(self) -> None:
        if self._path is None:
            return
        with self._lock:
            entries = {
                key: {"verdict": dataclasses.asdict(verdict), "time": at}
                for key, (verdict, at) in self._known.items()
            }
        part = self._path.with_suffix(".part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(entries, indent=1) + "\n")
            os.replace(part, self._path)
        except OSError as error:
            log.warning("what is known of the encoders cannot be kept: %s", error)
