# SPDX-License-Identifier: GPL-3.0-or-later
"""An encoder of hardware made of libx264, that breaks in the way a test wants, at the picture it wants."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import av

from callagent.media.encoders import EncodedPayload, EncoderError, EncoderSettings, EncoderTraits, X264Encoder
from callagent.media.encoders.probe import Verdict
from callagent.media.encoders.registry import KINDS, EncoderKind
from callagent.media.encoders.roster import EncoderChoice, EncoderRoster
from callagent.ports import Clock, Codec

Fault = Literal[
    "",
    "exception",
    "hang",
    "wrong size",
    "no start code",
    "forbidden bit",
    "no parameter sets",
    "all keys",
    "silent",
    "deaf",
    "hang in close",
    "hang in open",
    "cannot be opened",
]


@dataclass
class Plan:
    """What is to happen; shared by all encoders of a test."""

    fault: Fault = ""
    at: int = 15
    """The picture it begins with."""
    behind: int = 0
    """As a pipeline: so many pictures are kept back."""
    opened: int = 0
    let_go: threading.Event = field(default_factory=threading.Event)
    """Ends every hang."""


class FaultyEncoder(X264Encoder):
    library = "libx264"
    hardware = True

    def __init__(self, plan: Plan, settings: EncoderSettings) -> None:
        plan.opened += 1
        self._plan = plan
        self._count = 0
        self._kept: list[EncodedPayload] = []
        if plan.fault == "hang in open":
            plan.let_go.wait(30)
        if plan.fault == "cannot be opened":
            raise EncoderError("fake cannot be opened")
        super().__init__(settings)
        self._other = X264Encoder(EncoderSettings(160, 120, settings.fps, settings.bitrate_bps))

    @property
    def traits(self) -> EncoderTraits:
        return EncoderTraits("fake", True, True, self._plan.behind)

    def encode(self, frame: av.VideoFrame, force_key: bool = False) -> list[EncodedPayload]:
        self._count += 1
        fault = self._plan.fault if self._count > self._plan.at else ""
        match fault:
            case "exception":
                raise EncoderError("fake failed")
            case "hang":
                self._plan.let_go.wait(30)
            case "silent":
                return []
            case "wrong size":
                small = frame.reformat(160, 120)
                small.pts = frame.pts
                return self._other.encode(small, force_key)
            case "all keys":
                force_key = True
            case "deaf":
                force_key = False
        payloads = super().encode(frame, force_key or fault == "no parameter sets")
        self._kept += [self._spoiled(payload, fault) for payload in payloads]
        given, self._kept = (self._kept, []) if not self._plan.behind else self._pipeline()
        return given

    def close(self) -> None:
        if self._plan.fault == "hang in close":
            self._plan.let_go.wait(30)
        super().close()

    def _pipeline(self) -> tuple[list[EncodedPayload], list[EncodedPayload]]:
        out = max(0, len(self._kept) - self._plan.behind)
        return self._kept[:out], self._kept[out:]

    def _spoiled(self, payload: EncodedPayload, fault: str) -> EncodedPayload:
        data = bytes(payload.payload)
        if fault == "no start code":
            data = b"\x17" * len(data)
        elif fault == "forbidden bit":
            at = data.index(b"\0\0\1") + 3
            data = data[:at] + bytes([data[at] | 0x80]) + data[at + 1 :]
        elif fault == "no parameter sets":
            data = data[data.rindex(b"\0\0\1\x65") :] if b"\0\0\1\x65" in data else data
        return EncodedPayload(payload.key, memoryview(data), payload.pts)


class Accepted:
    """Every probe has succeeded."""

    def of(self, name: str, settings: EncoderSettings) -> Verdict | None:
        return Verdict(name, True, fps=100.0)

    def want(self, names: object, settings: EncoderSettings) -> None:
        pass


def roster_with(plan: Plan, clock: Clock | None = None) -> EncoderRoster:
    """The faulty one first, libx264 after it."""

    def make(settings: EncoderSettings, options: Mapping[str, str]) -> FaultyEncoder:
        return FaultyEncoder(plan, settings)

    kinds = {"fake": EncoderKind("fake", Codec.H264, True, make), "libx264": KINDS["libx264"]}
    return EncoderRoster((EncoderChoice("fake"),), known=Accepted(), kinds=kinds, clock=clock)
