# SPDX-License-Identifier: GPL-3.0-or-later
"""Which encoder is used, in what order others follow, and for how long one that failed is avoided."""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from callagent.media.encoders.base import EncoderError, EncoderSettings, VideoEncoder
from callagent.media.encoders.probe import Verdict
from callagent.media.encoders.registry import CAMERA, DEFAULT_ORDER, KINDS, EncoderKind
from callagent.ports import Clock, Codec, MonotonicClock

log = logging.getLogger(__name__)

_HARDWARE_S, _HARDWARE_MOST_S = 30.0, 3600.0
_SOFTWARE_S, _SOFTWARE_MOST_S = 0.5, 30.0
_FORGIVEN = 10
"""After so many times its last pause without failing, an encoder begins with the first pause again."""


@dataclass(frozen=True, slots=True)
class EncoderChoice:
    """One place in the order."""

    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    """Handed to the encoder as they are."""


USUAL_ORDER = tuple(EncoderChoice(name) for name in DEFAULT_ORDER)


class Known(Protocol):
    """What is known of encoders; see `verdicts.Verdicts`."""

    def of(self, name: str, settings: EncoderSettings) -> Verdict | None: ...

    def want(self, names: Sequence[str], settings: EncoderSettings) -> None: ...


class Nothing:
    """Nothing is known and nothing is asked: software alone is used."""

    def of(self, name: str, settings: EncoderSettings) -> Verdict | None:
        return None

    def want(self, names: Sequence[str], settings: EncoderSettings) -> None:
        pass


@dataclass(slots=True)
class _Past:
    """How one encoder did."""

    failures: int = 0
    failed_at: float = float("-inf")
    pause_s: float = 0.0
    reason: str = ""

    def avoided_until(self) -> float:
        return self.failed_at + self.pause_s


class EncoderRoster:
    """Opens the best encoder there is. Callable from any thread; shared by all streams of a machine.

    Hardware is used only after a probe at that size has succeeded, and until then software is; one that
    fails is avoided for a growing time. Software is always the last in the order, named or not.
    """

    def __init__(
        self,
        order: Sequence[EncoderChoice] = USUAL_ORDER,
        *,
        known: Known | None = None,
        kinds: Mapping[str, EncoderKind] = KINDS,
        clock: Clock | None = None,
    ) -> None:
        """Names that are not in `kinds` raise KeyError; `camera` is none of them and is left out."""
        named = [choice for choice in order if choice.name != CAMERA]
        names = {choice.name for choice in named}
        lasts = [kind.name for kind in kinds.values() if kind.fallback and kind.name not in names]
        named += [EncoderChoice(name) for name in lasts]
        self._places = tuple((kinds[choice.name], dict(choice.options)) for choice in named)
        self.takes_camera = any(choice.name == CAMERA for choice in order)
        """Whether what the camera has encoded itself may go out as it is."""
        self._known = known or Nothing()
        self._clock = clock or MonotonicClock()
        self._lock = threading.Lock()
        self._pasts: dict[str, _Past] = {}
        self.generation = 0
        """Changes when another encoder than before may be the best."""
        self.abandoned = 0
        """Threads given up because their encoder did not return."""

    def news(self) -> None:
        """A probe has ended."""
        with self._lock:
            self.generation += 1

    def prepare(self, codecs: Sequence[Codec], settings: EncoderSettings) -> None:
        """Have the hardware tried for this size, in the background."""
        for codec in codecs:
            self._ask(codec, settings)

    def best(self, codec: Codec, settings: EncoderSettings) -> str | None:
        """The name of the first one that may be opened now."""
        return next((kind.name for kind, _ in self._candidates(codec, settings)), None)

    def open(self, codec: Codec, settings: EncoderSettings) -> VideoEncoder:
        """The first of the order that is accepted and opens. Blocks. Raises EncoderError: there is none."""
        self._ask(codec, settings)
        for kind, options in self._candidates(codec, settings):
            try:
                return kind.make(settings, options)
            except EncoderError as error:
                self.failed(kind.name, str(error))
        left = self.wait_s(codec)
        raise EncoderError(f"no encoder for {codec} works at present; {left:.1f} s until the next attempt")

    def wait_s(self, codec: Codec) -> float:
        """Seconds until one that failed may be tried again; 0 when one may be now."""
        now = self._clock.now()
        with self._lock:
            ends = [
                self._pasts[kind.name].avoided_until() if kind.name in self._pasts else now
                for kind, _ in self._places
                if kind.codec is codec and not kind.hardware
            ]
        return max(0.0, min(ends, default=now) - now)

    def failed(self, name: str, reason: str) -> None:
        """It is avoided from now on, longer each time."""
        now = self._clock.now()
        hardware = any(kind.name == name and kind.hardware for kind, _ in self._places)
        first_s, most_s = (_HARDWARE_S, _HARDWARE_MOST_S) if hardware else (_SOFTWARE_S, _SOFTWARE_MOST_S)
        with self._lock:
            past = self._pasts.setdefault(name, _Past())
            if past.pause_s and now - past.failed_at > _FORGIVEN * past.pause_s:
                past.failures = 0
            past.failures += 1
            past.pause_s = min(most_s, first_s * 2 ** min(past.failures - 1, 12))
            past.failed_at, past.reason = now, reason
        log.warning("encoder %s failed: %s; it is avoided for %.1f s", name, reason, past.pause_s)

    def refusals(self, codec: Codec, settings: EncoderSettings) -> dict[str, str]:
        """Why those before the best one are not used, by name."""
        refused = {}
        for kind, _ in self._places:
            if kind.codec is not codec:
                continue
            reason = self._refusal(kind, settings)
            if not reason:
                break
            refused[kind.name] = reason
        return refused

    def failures(self) -> dict[str, str]:
        """What went wrong in use, by encoder: how often and the last reason."""
        with self._lock:
            return {name: f"{past.failures}x, {past.reason}" for name, past in self._pasts.items()}

    def _ask(self, codec: Codec, settings: EncoderSettings) -> None:
        """Have what is not known found out."""
        unknown = []
        for kind, _ in self._places:
            if kind.codec is not codec or not kind.hardware:
                continue
            verdict = self._known.of(kind.name, settings)
            if verdict is not None and verdict.ok:
                break
            if verdict is None:
                unknown.append(kind.name)
        self._known.want(unknown, settings)

    def _candidates(
        self, codec: Codec, settings: EncoderSettings
    ) -> list[tuple[EncoderKind, dict[str, str]]]:
        return [
            (kind, options)
            for kind, options in self._places
            if kind.codec is codec and not self._refusal(kind, settings)
        ]

    def _refusal(self, kind: EncoderKind, settings: EncoderSettings) -> str:
        """Why it may not be opened now, in one sentence; empty when it may."""
        now = self._clock.now()
        with self._lock:
            past = self._pasts.get(kind.name)
            if past is not None and past.avoided_until() > now:
                left = past.avoided_until() - now
                return f"{past.reason} (avoided for {left:.0f} s more)"
        if not kind.hardware:
            return ""
        verdict = self._known.of(kind.name, settings)
        if verdict is None:
            return "it has not been tried yet at this size"
        return "" if verdict.ok else verdict.reason

    def report(self) -> dict[str, Any]:
        """For the status."""
        report: dict[str, Any] = {"failures": self.failures()} if self._pasts else {}
        return report | ({"abandoned_threads": self.abandoned} if self.abandoned else {})
