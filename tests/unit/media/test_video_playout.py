# SPDX-License-Identifier: GPL-3.0-or-later
import threading

import pytest

from callagent.devices.virtual.framecode import read_frame
from callagent.media.decoders import DecodeError, DecoderError
from callagent.media.playout.video import VideoPlayout
from callagent.media.playout.video_delay import OUT_OF_STEP_S
from callagent.media.playout.video_queue import BEHIND_S
from callagent.ports import Codec, PixelFormat, ReceivedPicture, VideoFrame
from tests.clock import HandClock
from tests.unit.media.collector import Collector, Watch
from tests.unit.media.test_decoders import encoded

FPS = 30


class Control:
    def __init__(self) -> None:
        self.key_frames = 0
        self.first = 0
        self.changed = Watch()

    def request_key_frame(self) -> None:
        self.key_frames += 1
        self.changed()

    def first_frame(self) -> None:
        self.first += 1
        self.changed()


class ScriptedDecoder:
    """Gives a picture whose width is the payload's number; b'bad' is broken; waits while it is held."""

    codec = Codec.VP8

    def __init__(self) -> None:
        self.running = threading.Event()
        self.running.set()
        self.closed = threading.Event()
        self.began = threading.Semaphore(0)

    def decode(self, picture: ReceivedPicture) -> VideoFrame | None:
        self.began.release()
        assert self.running.wait(10)
        if picture.payload == b"bad":
            raise DecodeError("bad")
        return VideoFrame(PixelFormat.I420, int(picture.payload), 2, (), picture.arrival_time)

    def close(self) -> None:
        self.closed.set()


def picture(number: int, payload: bytes = b"", *, key: bool = False) -> ReceivedPicture:
    at = number * 90_000 // FPS
    return ReceivedPicture(Codec.VP8, key, at, payload or str(number).encode(), 0.0, None)


def scripted(
    clock: HandClock, sink: Collector[VideoFrame], decoder: ScriptedDecoder
) -> tuple[VideoPlayout, Control]:
    control = Control()
    return VideoPlayout(sink, control, clock=clock, open_decoder=lambda codec: decoder), control


def finish(playout: VideoPlayout) -> None:
    playout.close()
    assert playout.wait_closed(5)


@pytest.mark.parametrize("codec", [Codec.H264, Codec.VP8])
def test_pictures_are_decoded_and_shown(codec: Codec) -> None:
    sink: Collector[VideoFrame] = Collector()
    control = Control()
    playout = VideoPlayout(sink, control, name="bob/camera/h")
    for number, received in enumerate(encoded(codec, 5)):
        playout.put(received)
        sink.wait(number + 1)
    codes = [read_frame(frame) for frame in sink.frames]
    assert [code.counter for code in codes if code is not None] == [0, 1, 2, 3, 4]
    control.changed.until(lambda: control.first == 1)
    figures = playout.figures()
    assert (figures["frames_decoded"], figures["freezes"], figures["playout_delay_ms"]) == (5, 0, 0.0)
    assert figures["decode_ms"] > 0
    assert control.key_frames == 0
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "playout-bob/camera/h"]
    assert thread.daemon
    finish(playout)


def test_a_broken_picture_keeps_the_last_good_one_and_asks_for_a_key_frame() -> None:
    clock, sink, decoder = HandClock(10.0), Collector[VideoFrame](), ScriptedDecoder()
    playout, control = scripted(clock, sink, decoder)
    playout.put(picture(1, key=True))
    sink.wait(1)
    playout.put(picture(2, b"bad"))
    control.changed.until(lambda: control.key_frames == 1)
    playout.put(picture(3))
    control.changed.until(lambda: control.key_frames == 2)
    playout.put(picture(4, key=True))
    sink.wait(2)
    assert [frame.width for frame in sink.frames] == [1, 4]
    assert playout.figures()["frames_dropped_broken"] == 2
    finish(playout)
    assert decoder.closed.is_set()


def test_a_decoder_that_hangs_does_not_hold_up_the_giver_and_skips_afterwards() -> None:
    clock, sink, decoder = HandClock(10.0), Collector[VideoFrame](), ScriptedDecoder()
    playout, control = scripted(clock, sink, decoder)
    decoder.running.clear()
    for number in range(4):
        playout.put(picture(number, key=number == 0))
    assert decoder.began.acquire(timeout=5)
    clock.seconds += BEHIND_S + 0.1
    playout.put(picture(4))
    assert control.key_frames == 1
    playout.put(picture(5, key=True))
    decoder.running.set()
    sink.wait_until(lambda: sink.frames[-1].width == 5)
    # The one that hung was being decoded; nothing between it and the key frame was.
    assert [frame.width for frame in sink.frames] == [0, 5]
    assert playout.figures()["frames_dropped_behind"] == 4
    finish(playout)


def test_a_picture_waits_until_it_is_due() -> None:
    """Sound is so late that the picture is held back for 100 ms."""
    clock, sink, decoder = HandClock(10.0), Collector[VideoFrame](), ScriptedDecoder()
    heard = clock.seconds + 0.1 + OUT_OF_STEP_S
    playout = VideoPlayout(
        sink, Control(), clock=clock, open_decoder=lambda codec: decoder, sound_lag=lambda: heard
    )
    playout.put(ReceivedPicture(Codec.VP8, True, 0, b"1", clock.seconds, sender_time=0.0))
    assert playout.figures()["playout_delay_ms"] == pytest.approx(100)
    assert not decoder.began.acquire(timeout=0.05)
    clock.seconds += 0.1
    playout.put(ReceivedPicture(Codec.VP8, False, 9000, b"2", clock.seconds, sender_time=0.1))
    sink.wait(1)
    assert [frame.width for frame in sink.frames] == [1]
    finish(playout)


def test_after_close_nothing_is_shown() -> None:
    clock, sink, decoder = HandClock(10.0), Collector[VideoFrame](), ScriptedDecoder()
    playout, _ = scripted(clock, sink, decoder)
    decoder.running.clear()
    playout.put(picture(0, key=True))
    assert decoder.began.acquire(timeout=5)
    playout.close()
    assert not playout.wait_closed(0)
    playout.put(picture(1))
    decoder.running.set()
    assert playout.wait_closed(5)
    assert sink.frames == []
    playout.close()


def test_close_without_pictures_and_figures_without_pictures() -> None:
    playout = VideoPlayout(Collector[VideoFrame](), Control())
    assert playout.figures()["decode_ms"] == 0.0
    playout.close()
    assert playout.wait_closed(0)


def test_a_codec_that_cannot_be_decoded_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(codec: Codec) -> ScriptedDecoder:
        raise DecoderError("there is no decoder for VP8")

    control = Control()
    playout = VideoPlayout(Collector[VideoFrame](), control, open_decoder=refuse)
    for number in range(3):
        playout.put(picture(number, key=True))
        control.changed.until(lambda seen=number: control.key_frames > seen)  # type: ignore[misc]
    assert caplog.text.count("there is no decoder") == 1
    finish(playout)


def test_a_decoder_that_fails_in_its_own_way_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(ScriptedDecoder):
        def decode(self, picture: ReceivedPicture) -> VideoFrame | None:
            raise MemoryError

    sink, control = Collector[VideoFrame](), Control()
    decoders = [Failing(), ScriptedDecoder()]
    playout = VideoPlayout(sink, control, open_decoder=lambda codec: decoders.pop(0))
    playout.put(picture(1, key=True))
    control.changed.until(lambda: control.key_frames == 1)
    playout.put(picture(2, key=True))
    sink.wait(1)
    assert "failed" in caplog.text
    finish(playout)


def test_another_codec_gets_another_decoder() -> None:
    sink: Collector[VideoFrame] = Collector()
    playout = VideoPlayout(sink, Control())
    for number, codec in enumerate((Codec.H264, Codec.VP8, Codec.H264)):
        playout.put(encoded(codec, 1)[0])
        sink.wait(number + 1)
    finish(playout)


def test_a_sink_that_fails_does_not_end_the_playout(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Collector[VideoFrame]):
        def put(self, frame: VideoFrame) -> None:
            super().put(frame)
            raise LookupError

    sink, decoder = Broken(), ScriptedDecoder()
    playout, _ = scripted(HandClock(10.0), sink, decoder)
    for number in range(2):
        playout.put(picture(number, key=True))
        sink.wait(number + 1)
    assert "could not be shown" in caplog.text
    finish(playout)
