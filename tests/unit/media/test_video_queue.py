# SPDX-License-Identifier: GPL-3.0-or-later
from hypothesis import given
from hypothesis import strategies as st

from callagent.media.playout.video_delay import OUT_OF_STEP_S
from callagent.media.playout.video_queue import BEHIND_S, CAPACITY, LATE_S, PictureQueue
from callagent.ports import Codec, ReceivedPicture

FPS = 30


def picture(number: int, *, key: bool = False, sender_time: float | None = None) -> ReceivedPicture:
    return ReceivedPicture(Codec.VP8, key, number * 90_000 // FPS, bytes((number % 256,)), 0.0, sender_time)


def number_of(taken: ReceivedPicture) -> int:
    return taken.timestamp * FPS // 90_000


def put(queue: PictureQueue, numbers: range, *, keys: set[int], late_s: float = 0.0) -> list[int]:
    """Pictures at their time, `late_s` later than the first; the numbers for which a key frame was asked."""
    return [n for n in numbers if queue.put(picture(n, key=n in keys), n / FPS + late_s)]


def take_all(queue: PictureQueue) -> list[int]:
    return [number_of(queue.take().picture) for _ in range(len(queue))]


def test_it_begins_with_a_key_frame() -> None:
    queue = PictureQueue()
    assert put(queue, range(5), keys={3}) == [0, 1, 2]
    assert take_all(queue) == [3, 4]
    assert queue.dropped["broken"] == 3


def test_on_a_clean_network_everything_is_due_at_once() -> None:
    queue = PictureQueue()
    for number in range(5):
        put(queue, range(number, number + 1), keys={0})
        assert queue.wait_s(number / FPS) == 0.0
        assert queue.take().due == number / FPS
    assert queue.wait_s(1.0) is None


def test_a_decoder_that_is_behind_skips_to_the_newest_key_frame() -> None:
    queue = PictureQueue()
    last = int(BEHIND_S * FPS) + 2
    assert put(queue, range(last + 1), keys={0, 4, 8}) == []
    assert take_all(queue) == list(range(8, last + 1))
    assert queue.dropped["behind"] == 8


def test_with_no_key_frame_to_skip_to_one_is_asked_for_until_it_comes() -> None:
    queue = PictureQueue()
    behind = int(BEHIND_S * FPS) + 1
    end = behind + 5
    assert put(queue, range(end), keys={0, end - 2}) == list(range(behind, end - 2))
    assert take_all(queue) == [end - 2, end - 1]
    assert queue.dropped["behind"] == end - 2


def test_what_the_network_held_up_is_not_the_decoders_fault() -> None:
    queue = PictureQueue()
    for number in range(30):
        put(queue, range(number, number + 1), keys={0})
        queue.take()
    # An outage of a second, then everything at once.
    for number in range(30, 60):
        assert not queue.put(picture(number), 2.0)
    assert take_all(queue) == list(range(30, 60))
    assert queue.dropped["behind"] == 0


def test_it_is_bounded() -> None:
    queue = PictureQueue()
    asked = [queue.put(picture(number, key=number == 0), 0.0) for number in range(CAPACITY + 1)]
    assert asked == [False] * CAPACITY + [True]
    assert len(queue) == 0


def test_late_pictures_are_not_shown_when_newer_ones_are_ready() -> None:
    queue = PictureQueue()
    put(queue, range(6), keys={0})
    now = 5 / FPS + LATE_S
    shown = []
    while queue.wait_s(now) is not None:
        taken = queue.take()
        if queue.shows(taken, now):
            shown.append(number_of(taken.picture))
    # One to begin with, so that a slow decoder still gives a picture, and the newest.
    assert shown == [0, 5]
    assert queue.dropped["late"] == 4


def test_a_slow_decoder_still_shows_pictures() -> None:
    queue, shown, now = PictureQueue(), 0, 0.0
    for number in range(12):
        queue.put(picture(number, key=number == 0), number / FPS)
    for _ in range(12):
        now += 0.15
        taken = queue.take()
        shown += queue.shows(taken, now)
    assert shown == 12


def test_a_broken_picture_ends_at_the_next_key_frame() -> None:
    queue = PictureQueue()
    put(queue, range(6), keys={0, 4})
    queue.take()
    assert not queue.break_off()
    assert take_all(queue) == [4, 5]
    assert queue.dropped["broken"] == 1 + 3
    assert queue.break_off()
    assert put(queue, range(6, 9), keys={8}) == [6, 7]
    assert take_all(queue) == [8]


def test_sound_is_asked_for_its_lag_only_when_the_senders_time_is_known() -> None:
    asked = []

    def sound_lag() -> float | None:
        asked.append(True)
        return 0.2

    queue = PictureQueue(sound_lag)
    queue.put(picture(0, key=True), 0.0)
    assert (asked, queue.delay_s) == ([], 0.0)
    queue.put(picture(1, sender_time=1 / FPS), 1 / FPS)
    assert asked == [True]
    assert abs(queue.delay_s + OUT_OF_STEP_S - 0.2) < 1e-9


@given(
    keys=st.lists(st.booleans(), max_size=80),
    steps=st.lists(st.tuples(st.floats(0, 0.2), st.sampled_from(["put", "take", "break"])), max_size=200),
)
def test_whatever_happens_what_is_taken_decodes(keys: list[bool], steps: list[tuple[float, str]]) -> None:
    queue, now, number, broken = PictureQueue(), 0.0, 0, 0
    decoded: list[int] = []
    good = True
    for passed, what in steps:
        now += passed
        if what == "put" and number < len(keys):
            queue.put(picture(number, key=keys[number]), now)
            number += 1
        elif what != "put" and queue.wait_s(now) == 0.0:
            taken = number_of(queue.take().picture)
            assert keys[taken] or (good and decoded[-1] == taken - 1)
            good = what == "take"
            if good:
                decoded.append(taken)
            else:
                queue.break_off()
                broken += 1
        assert len(queue) <= CAPACITY
    assert len(decoded) + len(queue) + queue.dropped["behind"] + queue.dropped["broken"] == number
