# SPDX-License-Identifier: GPL-3.0-or-later
"""What `python -m benchmarks` prints and writes."""

import json

import pytest

from benchmarks import weaknet
from benchmarks.report import Figure, Report


def test_the_json_has_exactly_the_agreed_fields() -> None:
    report = Report("loopback", [Figure("latency", "ms", 8.0, {"aiortc": 40.0}, 15.0)])
    body = json.loads(report.json())
    assert list(body) == ["benchmark", "commit", "machine", "figures"]
    assert body["benchmark"] == "loopback"
    assert body["figures"] == [
        {
            "name": "latency",
            "unit": "ms",
            "ours": 8.0,
            "peers": {"aiortc": 40.0},
            "ratio": {"aiortc": 0.2},
            "target": 15.0,
            "at_most": {},
            "ok": True,
        }
    ]


def test_a_share_of_a_peers_figure_is_a_target_too() -> None:
    shares = Figure("latency p50", "ms", 0.0, target=15.0, at_most={"aiortc": 0.3, "chromium": 1.0})
    fast = shares.measured("VP8", {"ours": 9.0, "aiortc": 40.0})
    assert (fast.name, fast.ours, fast.peers) == ("VP8 latency p50", 9.0, {"aiortc": 40.0})
    assert fast.ok, "a peer that was not measured does not count"
    assert fast.targets == "≤ 15, ≤ 0.3 × aiortc"
    assert not shares.measured("VP8", {"ours": 9.0, "aiortc": 40.0, "chromium": 8.0}).ok
    assert not shares.measured("VP8", {"ours": 16.0, "aiortc": 80.0}).ok


@pytest.mark.parametrize(
    ("ours", "target", "more_is_better", "ok"),
    [
        (15.0, 15.0, False, True),
        (15.1, 15.0, False, False),
        (28.0, 29.0, True, False),
        (9.0, None, False, None),
    ],
)
def test_ok_is_the_truth(ours: float, target: float | None, more_is_better: bool, ok: bool | None) -> None:
    assert Figure("f", "ms", ours, {}, target, more_is_better).ok is ok


def test_the_table_tells_what_missed_its_target() -> None:
    figures = [
        Figure("latency", "ms", 20.0, {"aiortc": 40.0}, 15.0),
        Figure("CPU", "%", 3.0, {"aiortc": 0.0}),
    ]
    lines = Report("loopback", figures).table().splitlines()
    assert lines[0].startswith("loopback · ")
    assert lines[2].split() == ["latency", "ms", "20.0", "40.0", "0.50", "≤", "15", "NO"]
    assert lines[3].split() == ["CPU", "%", "3.0", "0.0", "-"]


def test_a_run_that_nothing_came_through_has_no_row_for_what_it_did_not_see() -> None:
    results = {"ours": [{"adapted_s": 10.0}], "aiortc": [{"adapted_s": 10.0, "adapted_fps": 3.0}]}
    figures = weaknet.rows(results, "narrow", weaknet.NARROW)
    assert [(figure.name, figure.ours, figure.ok) for figure in figures] == [
        ("narrow: last picture later than 300 ms after", 10.0, False)
    ]
