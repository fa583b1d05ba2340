# SPDX-License-Identifier: GPL-3.0-or-later
"""From counters to grades."""

from hypothesis import given
from hypothesis import strategies as st

from callagent.call.network_quality import Figures, QualityMeter, grade
from callagent.protocol.enums import NetworkQuality as Quality


def figures(received: int, lost: int = 0, said_lost: float = 0.0, round_trip_s: float = 0.02) -> Figures:
    return {
        "state": "connected",
        "audio_packets_received": received,
        "audio_packets_lost": lost,
        "audio_remote_fraction_lost": said_lost,
        "round_trip_s": round_trip_s,
    }


def test_each_direction_has_its_own_grade() -> None:
    meter = QualityMeter()
    meter.look("kiosk", {"anna": figures(100)})
    assert meter.look("kiosk", {"anna": figures(200, lost=5, said_lost=0.2)}) == {
        "anna": Quality.POOR,
        "kiosk": Quality.VERY_BAD,
    }


def test_it_is_told_only_when_it_changes() -> None:
    meter = QualityMeter()
    assert meter.look("kiosk", {"anna": figures(100)}) == {
        "anna": Quality.EXCELLENT,
        "kiosk": Quality.EXCELLENT,
    }
    assert meter.look("kiosk", {"anna": figures(200)}) is None
    assert meter.look("kiosk", {"anna": figures(300, round_trip_s=0.3)}) == {
        "anna": Quality.POOR,
        "kiosk": Quality.POOR,
    }


def test_silence_is_down() -> None:
    meter = QualityMeter()
    meter.look("kiosk", {"anna": figures(100)})
    grades = meter.look("kiosk", {"anna": figures(100)})
    assert grades is not None
    assert grades["anna"] is Quality.DOWN
    assert meter.look("kiosk", {}) == {}


def test_the_worst_of_several_ways_is_ones_own() -> None:
    meter = QualityMeter()
    grades = meter.look("kiosk", {"anna": figures(100), "bert": figures(100, said_lost=0.1)})
    assert grades == {"anna": Quality.EXCELLENT, "bert": Quality.EXCELLENT, "kiosk": Quality.BAD}


def test_before_anything_is_known_it_says_so() -> None:
    assert QualityMeter().look("kiosk", {"anna": {"state": "connected"}}) == {
        "anna": Quality.UNKNOWN,
        "kiosk": Quality.UNKNOWN,
    }


@given(st.floats(0, 1), st.floats(0, 10), st.floats(0, 1), st.floats(0, 10))
def test_worse_is_never_graded_better(lost: float, trip_s: float, more: float, longer_s: float) -> None:
    assert grade(min(1.0, lost + more), trip_s + longer_s) >= grade(lost, trip_s)
