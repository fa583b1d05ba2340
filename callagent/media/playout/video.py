# SPDX-License-Identifier: GPL-3.0-or-later
"""One remote video track from complete encoded pictures to a screen."""

import logging
import threading
from collections import deque
from collections.abc import Callable

from callagent.devices.threads import label_thread
from callagent.media.decoders import DecodeError, DecoderError, VideoDecoder, open_video_decoder
from callagent.media.playout.freezes import Freezes
from callagent.media.playout.video_queue import DuePicture, PictureQueue
from callagent.ports import (
    UNTRACED,
    Clock,
    Codec,
    FrameSink,
    MonotonicClock,
    ReceivedPicture,
    ReceiverControl,
    Stage,
    Tracer,
    VideoFrame,
)

logger = logging.getLogger(__name__)

_TIMED_PICTURES = 30


class VideoPlayout:
    """A `ports.PictureSink`: decodes on a thread of its own and gives I420 pictures to a `FrameSink`.

    On a clean network a picture is shown the moment it is decoded, otherwise after
    the delay of `PlayoutDelay`. After a damaged picture the last good one stays
    until a key frame comes. The thread starts with the first picture and ends
    with `close`.
    """

    def __init__(
        self,
        sink: FrameSink,
        control: ReceiverControl,
        *,
        name: str = "video",
        sound_lag: Callable[[], float | None] | None = None,
        clock: Clock | None = None,
        tracer: Tracer = UNTRACED,
        open_decoder: Callable[[Codec], VideoDecoder] = open_video_decoder,
    ) -> None:
        """`sound_lag` gives, from any thread, how much later than its capture the same member's sound is
        heard: seconds from `ReceivedPacket.sender_time` to this machine's monotonic clock, None as long
        as that is unknown. Pictures wait for sound that is later than they are.
        """
        self._sink = sink
        self._control = control
        self._name = name
        self._clock = clock or MonotonicClock()
        self._open_decoder = open_decoder
        self._changed = threading.Condition()
        self._tracer = tracer
        self._queue = PictureQueue(sound_lag, tracer)
        self._thread: threading.Thread | None = None
        self._closed = False
        self._output = threading.Lock()
        self._decoder: VideoDecoder | None = None
        self._refused: set[Codec] = set()
        self._decoded = 0
        self._decode_s: deque[float] = deque(maxlen=_TIMED_PICTURES)
        self._freezes = Freezes()

    def put(self, picture: ReceivedPicture) -> None:
        with self._changed:
            if self._closed:
                return
            ask = self._queue.put(picture, self._clock.now())
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"playout-{self._name}", daemon=True)
                self._thread.start()
            self._changed.notify()
        if ask:
            self._control.request_key_frame()

    def figures(self) -> dict[str, float | int]:
        """frames_decoded; frames_dropped_late (decoded, a newer one was due), _behind, _broken.

        decode_ms: mean of the last 30 pictures. playout_delay_ms: at present.
        freezes, freezes_s: by the W3C's freezeCount rule.
        """
        with self._changed:
            times = self._decode_s
            return {
                "frames_decoded": self._decoded,
                **{f"frames_dropped_{cause}": count for cause, count in self._queue.dropped.items()},
                "decode_ms": 1000 * sum(times) / len(times) if times else 0.0,
                "playout_delay_ms": 1000 * self._queue.delay_s,
                "freezes": self._freezes.count,
                "freezes_s": self._freezes.total_s,
            }

    def close(self) -> None:
        """Show nothing more, from now on; the thread ends by itself. From any thread, idempotent."""
        with self._changed:
            self._closed = True
            self._queue.clear()
            self._changed.notify()
        # Whoever is giving a picture to the sink at this moment is done with it when we return.
        with self._output:
            pass

    def wait_closed(self, timeout_s: float | None = None) -> bool:
        """Block until the thread has ended after `close`; False when it has not in time."""
        if self._thread is not None:
            self._thread.join(timeout_s)
            return not self._thread.is_alive()
        return True

    def _run(self) -> None:
        label_thread()
        while (next_ := self._wait()) is not None:
            frame = self._decode(next_)
            if frame is not None:
                self._show(next_, frame)
        if self._decoder is not None:
            self._decoder.close()

    def _wait(self) -> DuePicture | None:
        """The next picture when it is due; None at the end."""
        with self._changed:
            while not self._closed:
                wait_s = self._queue.wait_s(self._clock.now())
                if wait_s == 0.0:
                    return self._queue.take()
                self._changed.wait(wait_s)
        return None

    def _decode(self, next_: DuePicture) -> VideoFrame | None:
        picture = next_.picture
        began = self._clock.now()
        if self._tracer.on:
            self._tracer.took(Stage.WAITED, began - picture.arrival_time)
        try:
            frame = self._decoder_for(picture.codec).decode(picture)
        except DecoderError as error:
            if picture.codec not in self._refused:
                self._refused.add(picture.codec)
                logger.error("no picture from %s: %s", self._name, error)  # noqa: TRY400 - the sentence tells
            self._break_off()
            return None
        except DecodeError as error:
            logger.info("a picture from %s is left out: %s", self._name, error)
            self._break_off()
            return None
        except Exception:
            # Whatever it was, a new decoder at the next key frame is better than no thread.
            logger.exception("the decoder of %s failed", self._name)
            self._decoder = None
            self._break_off()
            return None
        if frame is None:
            return None
        took_s = self._clock.now() - began
        if self._tracer.on:
            self._tracer.took(Stage.DECODED, took_s)
        with self._changed:
            self._decoded += 1
            self._decode_s.append(took_s)
            first = self._decoded == 1
        if first:
            self._control.first_frame()
        return frame

    def _decoder_for(self, codec: Codec) -> VideoDecoder:
        if self._decoder is None or self._decoder.codec is not codec:
            if self._decoder is not None:
                self._decoder.close()
            self._decoder = None
            self._decoder = self._open_decoder(codec)
        return self._decoder

    def _break_off(self) -> None:
        with self._changed:
            ask = self._queue.break_off()
        if ask:
            self._control.request_key_frame()

    def _show(self, taken: DuePicture, frame: VideoFrame) -> None:
        with self._changed:
            now = self._clock.now()
            if not self._queue.shows(taken, now):
                return
            self._freezes.shown(now)
        with self._output:
            if self._closed:
                return
            try:
                self._sink.put(frame)
            except Exception:
                logger.exception("a picture from %s could not be shown", self._name)
        if self._tracer.on:
            self._tracer.took(Stage.PLAYED, self._clock.now() - now)
