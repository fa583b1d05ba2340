# SPDX-License-Identifier: GPL-3.0-or-later
"""Which video encoders work on this machine, how fast, and at what price: every one is tried."""

from collections.abc import Mapping, Sequence

from callagent.agent.doctor.checks import Check, ok, problem, warning
from callagent.media.encoders.base import EncoderSettings
from callagent.media.encoders.probe import Verdict
from callagent.media.encoders.probing import probe
from callagent.media.encoders.registry import CAMERA, KINDS
from callagent.ports import Codec

SIZES = (EncoderSettings(640, 480, 30, 900_000), EncoderSettings(1280, 720, 30, 1_500_000))
PICTURES = 30

Results = Mapping[str, Sequence[Verdict]]
"""By encoder: a verdict for each of SIZES, or the one that it works at neither."""


def measured() -> Results:
    """Try every encoder known at every size. Blocks for seconds."""
    results: dict[str, list[Verdict]] = {}
    for settings in SIZES:
        names = [name for name in KINDS if all(verdict.ok for verdict in results.get(name, []))]
        for verdict in probe(names, settings, pictures=PICTURES):
            results.setdefault(verdict.name, []).append(verdict)
    return results


def encoder_checks(results: Results, named: Sequence[str] = ()) -> list[Check]:
    """`named`: the order of the configuration or the profile. Pure."""
    known = [name for name in named if name != CAMERA and name in results]
    names = [*known, *(name for name in results if name not in known)]
    checks = [_check(name, results[name], named) for name in names]
    for codec in (Codec.H264, Codec.VP8):
        if not any(_works(results[name]) for name in names if KINDS[name].codec is codec):
            checks.append(problem(f"no encoder for {codec} works: no call can send it", "reinstall PyAV"))
    return checks


def _works(verdicts: Sequence[Verdict]) -> bool:
    return any(verdict.ok for verdict in verdicts)


def _check(name: str, verdicts: Sequence[Verdict], named: Sequence[str]) -> Check:
    note = ", untested: no board has run it" if KINDS[name].untested else ""
    head = f"{name:14}"
    failed = next((verdict.reason for verdict in verdicts if not verdict.ok), "")
    if not _works(verdicts):
        return ok(f"{head} not used: {failed}")
    figures = [
        f"{size.width}x{size.height}: {verdict.fps:4.0f} pictures/s, {verdict.cpu_ms:5.1f} ms CPU each"
        for size, verdict in zip(SIZES, verdicts, strict=False)
        if verdict.ok
    ]
    text = f"{head} " + ", ".join(figures) + note
    if failed:
        remedy = "larger pictures are encoded by the next encoder of the order"
        return warning(f"{text}; at another size: {failed}", remedy) if name in named else ok(text)
    return ok(text)
