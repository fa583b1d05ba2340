# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole of echo cancellation in a synthetic room, in simulated time: the benchmark's short form.

The targets are those of `python -m benchmarks audio`; everything follows from the seed, so
that they hold on any machine alike.
"""

from dataclasses import replace

from benchmarks import echo
from benchmarks.echo_room import Recording, Scene, near_attenuation_db, play
from callagent.media.audio_processing.far_end import FarEnd

ROOM = Scene(room_s=0.1, seconds=8.0, seed=4)


def heard(scene: Scene) -> Recording:
    return play(scene, echo.ours(), FarEnd())


def test_the_echo_is_gone_after_two_seconds_and_so_is_what_status_tells() -> None:
    recording = heard(ROOM)
    assert recording.erle_db(2, 7.9) >= echo.ERLE_DB
    assert recording.figures["processing"] == "full duplex"
    erle_db, delay_ms = recording.figures["erle_db"], recording.figures["delay_ms"]
    assert isinstance(erle_db, float)
    assert isinstance(delay_ms, int)
    assert erle_db >= 30
    # 54 ms from pull to microphone, 25 ms of it spent waiting, 10 ms in the stretch itself.
    assert 35 <= delay_ms <= 50


def test_the_near_end_passes_in_double_talk() -> None:
    double = replace(ROOM, near_from_s=4.0)
    overall, median = near_attenuation_db(heard(double), heard(replace(double, far_talks=False)), 4.5)
    assert overall < echo.NEAR_LOSS_DB
    assert median < echo.NEAR_LOSS_DB


def test_gain_control_raises_the_near_end_and_not_what_is_left_of_the_echo() -> None:
    def raised(scene: Scene) -> Recording:
        return play(scene, echo.with_gain_control(), FarEnd())

    assert raised(ROOM).erle_db(2, 7.9) >= echo.ERLE_DB
    double = replace(ROOM, near_from_s=4.0)
    overall, median = near_attenuation_db(raised(double), raised(replace(double, far_talks=False)), 4.5)
    assert overall < echo.NEAR_LOSS_DB
    assert median < echo.NEAR_LOSS_DB


def test_a_jump_of_the_delay_is_overcome() -> None:
    recording = heard(replace(ROOM, seconds=10.0, jump_at_s=5.0))
    assert recording.seconds_until(echo.AGAIN_DB, 5.0) <= echo.RECOVERED_S
    delay_ms = recording.figures["delay_ms"]
    assert isinstance(delay_ms, int)
    assert 95 <= delay_ms <= 110


def test_clocks_apart_do_not_break_it() -> None:
    recording = heard(replace(ROOM, seconds=12.0, drift_ppm=100.0))
    assert recording.lasting_erle_db(3.0) >= echo.AGAIN_DB
