# SPDX-License-Identifier: GPL-3.0-or-later
import asyncio
import threading

from hypothesis import given
from hypothesis import strategies as st

from callagent.ports import Codec, EncodedFrame, Layer
from callagent.rtc.send_queue import SendQueue


def frame(number: int, *, key: bool) -> EncodedFrame:
    return EncodedFrame(Codec.H264, Layer.HIGH, key, float(number), memoryview(b"x"))


async def taken(queue: SendQueue) -> list[int]:
    """Everything in the queue, without waiting for more."""
    numbers = []
    while queue._frames:
        numbers.append(int((await queue.get()).capture_time))
    return numbers


async def test_send_queue_begins_with_a_key_frame() -> None:
    queue = SendQueue(4, lambda: None)
    for number, key in enumerate((False, True, False)):
        queue.put(frame(number, key=key))
    assert await taken(queue) == [1, 2]


async def test_full_video_queue_drops_up_to_the_next_key_frame() -> None:
    queue = SendQueue(4, lambda: None)
    for number, key in enumerate((True, False, True, False, False)):
        queue.put(frame(number, key=key))
    assert await taken(queue) == [2, 3, 4]
    assert queue.dropped == 2


async def test_full_video_queue_without_key_frame_asks_for_one() -> None:
    asked = []
    queue = SendQueue(3, lambda: asked.append(True))
    for number in range(6):
        queue.put(frame(number, key=number == 0))
    assert await taken(queue) == []
    assert asked == []
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert asked == [True]
    queue.put(frame(6, key=False))
    queue.put(frame(7, key=True))
    assert (await waiting).capture_time == 7
    assert asked == [True]


async def test_full_audio_queue_drops_the_oldest() -> None:
    queue = SendQueue(3, lambda: None)
    for number in range(5):
        queue.put(frame(number, key=True))
    assert await taken(queue) == [2, 3, 4]


async def test_send_queue_wakes_its_reader_from_another_thread() -> None:
    queue = SendQueue(3, lambda: None)
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    thread = threading.Thread(target=lambda: queue.put(frame(1, key=True)))
    thread.start()
    async with asyncio.timeout(5):
        assert (await waiting).capture_time == 1
    thread.join()


def test_put_into_the_queue_of_a_dead_loop_is_harmless() -> None:
    async def make() -> SendQueue:
        return SendQueue(3, lambda: None)

    queue = asyncio.run(make())
    queue.put(frame(1, key=True))
    queue.close()
    queue.put(frame(2, key=True))
    assert not queue._frames


@given(keys=st.lists(st.booleans(), max_size=60), capacity=st.integers(1, 8))
def test_whatever_is_dropped_the_rest_decodes(keys: list[bool], capacity: int) -> None:
    async def run() -> None:
        queue = SendQueue(capacity, lambda: None)
        for number, key in enumerate(keys):
            queue.put(frame(number, key=key))
            assert len(queue._frames) <= capacity
        numbers = await taken(queue)
        assert len(numbers) + queue.dropped == len(keys)
        for before, after in zip([None, *numbers], numbers, strict=False):
            assert keys[after] or (before is not None and after == before + 1)

    asyncio.run(run())
