# SPDX-License-Identifier: GPL-3.0-or-later
"""The adaptive model of the room."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.echo_room import voice
from callagent.media.audio_processing.linear import LinearCanceller

SECONDS = 6
FAR = (voice(5, SECONDS) * 32_768).astype(np.float32)
NEAR = (voice(6, SECONDS) * 32_768).astype(np.float32)


def in_room(sound: NDArray[np.float32], delay_s: float = 0.03, seed: int = 1) -> NDArray[np.float32]:
    """Half as loud, with 50 ms of reverberation."""
    chance = np.random.default_rng(seed)
    answer = np.zeros(round((delay_s + 0.05) * 48_000))
    start = round(delay_s * 48_000)
    answer[start:] = chance.standard_normal(2400) * 10 ** (-3 * np.arange(2400) / 2400) * 0.02
    answer[start] = 0.4
    size = 1 << (len(sound) + len(answer)).bit_length()
    heard = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(answer, size), size)
    return heard[: len(sound)].astype(np.float32)


def cancelled(
    canceller: LinearCanceller, far: NDArray[np.float32], microphone: NDArray[np.float32]
) -> NDArray[np.float32]:
    starts = range(0, len(far) - 479, 480)
    return np.concatenate([canceller.cancel(far[s : s + 480], microphone[s : s + 480]) for s in starts])


def db(sound: NDArray[np.float32]) -> float:
    return float(10 * np.log10(np.mean(sound.astype(np.float64) ** 2) + 1e-9))


def test_it_learns_the_room_and_goes_on_learning() -> None:
    echo = in_room(FAR)
    rest = cancelled(LinearCanceller(), FAR, echo)
    assert db(echo[48_000:96_000]) - db(rest[48_000:96_000]) > 15
    assert db(echo[-96_000:]) - db(rest[-96_000:]) > 30


def test_the_near_end_is_not_touched_by_it() -> None:
    echo = in_room(FAR)
    near = NEAR.copy()
    near[: 3 * 48_000] = 0
    rest = cancelled(LinearCanceller(), FAR, echo + near)
    left = rest - near[: len(rest)]
    assert db(echo[-96_000:]) - db(left[-96_000:]) > 12
    assert np.array_equal(cancelled(LinearCanceller(), np.zeros_like(FAR), NEAR), NEAR[: len(rest)])


def test_a_model_that_is_not_good_yet_is_not_used() -> None:
    echo = in_room(FAR)
    rest = cancelled(LinearCanceller(), FAR, echo)
    audible = [s for s in range(0, len(rest), 480) if np.abs(echo[s : s + 480]).max() > 10]
    same = [np.array_equal(rest[s : s + 480], echo[s : s + 480]) for s in audible]
    assert same[0]
    first_used = same.index(False)
    assert first_used < 100
    assert not any(same[first_used:])
    strange = cancelled(LinearCanceller(), FAR, NEAR)
    assert np.array_equal(strange, NEAR[: len(strange)])


def test_another_room_is_noticed_and_learned() -> None:
    half = len(FAR) // 2
    echo = np.concatenate((in_room(FAR)[:half], in_room(FAR, 0.09, 2)[half:]))
    canceller = LinearCanceller()
    rest = cancelled(canceller, FAR, echo)
    assert canceller.resets >= 1
    assert db(echo[-48_000:]) - db(rest[-48_000:]) > 20


def test_double_talk_is_not_taken_for_another_room() -> None:
    canceller = LinearCanceller()
    cancelled(canceller, FAR, in_room(FAR) + 2 * NEAR)
    assert canceller.resets == 0


def test_echoes_far_behind_are_reached_by_the_set_delay() -> None:
    echo = in_room(FAR, 0.35)
    deaf, told = LinearCanceller(), LinearCanceller()
    assert told.set_delay(0.355)
    assert not told.set_delay(0.352)
    assert 0.31 < told.modelled_delay_s <= 0.34
    assert db(echo[-96_000:]) - db(cancelled(deaf, FAR, echo)[-96_000:]) < 3
    assert db(echo[-96_000:]) - db(cancelled(told, FAR, echo)[-96_000:]) > 30


def test_a_reset_forgets_everything() -> None:
    canceller = LinearCanceller()
    cancelled(canceller, FAR, in_room(FAR))
    canceller.reset()
    assert np.array_equal(canceller.cancel(np.zeros(480, np.float32), NEAR[:480]), NEAR[:480])
