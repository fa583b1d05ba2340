# SPDX-License-Identifier: GPL-3.0-or-later
import asyncio
import threading
from collections import deque

import av
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from hypothesis import given
from hypothesis import strategies as st

from callagent.ports import Codec, EncodedFrame, Layer
from callagent.rtc.receive_queues import DecoderQueue, NewestDecoderQueue, NewestQueue, ReceivedFrame
from callagent.rtc.send_queue import SendQueue

H264 = RTCRtpCodecParameters("video/H264", 90000)


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


def received(number: int, *, key: bool = False) -> ReceivedFrame:
    return ReceivedFrame(str(number).encode(), number, key)


def timestamps(queue: DecoderQueue) -> list[int]:
    return [item[1].timestamp for item in queue.queue if item is not None]


def test_decoder_queue_skips_to_a_key_frame_when_behind() -> None:
    skips = []
    queue = DecoderQueue(3, more=lambda: None, on_skip=lambda: skips.append(True))
    for number in range(6):
        queue.put((H264, received(number, key=number == 0)))
    assert timestamps(queue) == []
    queue.put((H264, received(6, key=True)))
    queue.put((H264, received(7)))
    assert timestamps(queue) == [6, 7]
    assert skips == [True]


def test_decoder_queue_takes_what_was_completed_together() -> None:
    extra = deque([received(2), received(3)])
    queue = DecoderQueue(5, more=lambda: extra.popleft() if extra else None, on_skip=lambda: None)
    queue.put((H264, received(1, key=True)))
    assert timestamps(queue) == [1, 2, 3]


def test_the_end_overtakes_what_waits_for_the_decoder() -> None:
    video = DecoderQueue(5, more=lambda: None, on_skip=lambda: None)
    audio = NewestDecoderQueue(5)
    for number in range(3):
        video.put((H264, received(number, key=True)))
        audio.put((H264, JitterFrame(b"", number)))
    video.put(None)
    audio.put(None)
    assert video.get_nowait() is None
    assert audio.get_nowait() is None


def test_audio_decoder_queue_drops_the_oldest() -> None:
    queue = NewestDecoderQueue(2)
    for number in range(5):
        queue.put((H264, JitterFrame(b"", number)))
    assert [item[1].timestamp for item in queue.queue if item is not None] == [3, 4]


async def test_newest_decoded_frames_win() -> None:
    queue = NewestQueue(2)
    frames = [av.VideoFrame(16, 16, "yuv420p") for _ in range(5)]
    for each in frames:
        await queue.put(each)
    assert queue.get_nowait() is frames[3]
    assert queue.get_nowait() is frames[4]
    assert queue.dropped == 3
