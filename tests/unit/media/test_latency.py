# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the time goes, while somebody asks."""

import pytest

from callagent.media.latency import LatencyTracer
from callagent.ports import UNTRACED, Drop, Stage


def asked(tracer: LatencyTracer) -> bool:
    """Read anew each time, which a type checker would not believe."""
    return tracer.on


def test_nothing_is_kept_while_nobody_asks() -> None:
    tracer = LatencyTracer()
    assert not asked(tracer)
    assert not UNTRACED.on
    tracer.took(Stage.ENCODED, 0.004)
    window = tracer.open()
    assert asked(tracer)
    assert window.figures() == {}
    tracer.close(window)
    tracer.close(window)
    assert not asked(tracer)


def test_figures_of_a_window() -> None:
    tracer = LatencyTracer()
    window = tracer.open()
    for millisecond in range(100):
        tracer.took(Stage.ENCODED, millisecond / 1000)
    tracer.took(Stage.CAPTURED, 0.02)
    tracer.dropped(Drop.LATE)
    tracer.dropped(Drop.LATE)
    figures = window.figures()
    assert list(figures) == [Stage.CAPTURED, Stage.ENCODED], "in the order of the way"
    encoded = figures[Stage.ENCODED]
    assert encoded.count == 100
    assert (encoded.p50_s, encoded.p95_s, encoded.max_s) == pytest.approx((0.050, 0.095, 0.099))
    assert window.drops == {Drop.LATE: 2}


def test_two_who_ask_get_each_their_own() -> None:
    tracer = LatencyTracer()
    first = tracer.open()
    tracer.took(Stage.DECODED, 0.001)
    second = tracer.open()
    tracer.took(Stage.DECODED, 0.003)
    tracer.close(first)
    tracer.took(Stage.DECODED, 0.005)
    assert first.figures()[Stage.DECODED].count == 2
    assert second.figures()[Stage.DECODED].count == 2
    assert tracer.on
