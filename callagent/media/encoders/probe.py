# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an encoder really encodes: some moving pictures through it, through a decoder, and compared.

`python -m callagent.media.encoders.probe WIDTH HEIGHT FPS BPS PICTURES NAME...` does it for each name and
prints JSON, a line when it begins with one and a line with the result: in a process of its own, since a
driver may hang, crash, or hang while it holds the interpreter's lock (`probing` runs it).
"""

import contextlib
import dataclasses
import json
import os
import sys
import time
from dataclasses import dataclass

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from callagent.media.encoders.base import CLOCK_RATE, EncoderError, EncoderSettings, VideoEncoder
from callagent.media.encoders.inspection import Inspector
from callagent.media.encoders.registry import KINDS, EncoderKind
from callagent.ports import Codec

PICTURES = 12
LEAST_PSNR_DB = 25.0
_FORCED = 7
"""The picture that is to be a key frame."""
_SCENE = 10
"""Pictures of the scene; then it begins again."""
_DECODERS = {Codec.H264: "h264", Codec.VP8: "vp8"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came out of a probe."""

    name: str
    ok: bool
    reason: str = ""
    """Why not, in one sentence."""
    fps: float = 0.0
    """Pictures a second, one after the other."""
    cpu_ms: float = 0.0
    """CPU time of this process for each picture; what hardware does is not in it."""
    psnr_db: float = 0.0
    """The mean over all pictures, of luma."""
    bps: float = 0.0


def try_encoder(kind: EncoderKind, settings: EncoderSettings, pictures: int = PICTURES) -> Verdict:
    """Encode, decode, compare. Blocks as long as the driver does; whatever goes wrong is in the verdict."""
    why_not = kind.missing()
    if why_not:
        return Verdict(kind.name, False, why_not)
    encoder: VideoEncoder | None = None
    try:
        encoder = kind.make(settings, {})
        return _judge(kind, encoder, settings, pictures)
    except EncoderError as error:
        return Verdict(kind.name, False, str(error))
    except Exception as error:
        # A vendor's library may fail in any way.
        return Verdict(kind.name, False, f"{type(error).__name__}: {error}")
    finally:
        if encoder is not None:
            encoder.close()


def _judge(kind: EncoderKind, encoder: VideoEncoder, settings: EncoderSettings, pictures: int) -> Verdict:
    scene = [_draw(number, settings.width, settings.height) for number in range(_SCENE)]
    inspector = Inspector(kind.codec, settings, encoder.traits.delay_pictures)
    reader, late = _Reader(kind.codec), _Reader(kind.codec)
    spent_s = cpu_s = 0.0
    size, step = 0, CLOCK_RATE // settings.fps
    errors: list[float] = []
    forced_key = False
    for number in range(pictures):
        frame = av.VideoFrame.from_ndarray(scene[number % _SCENE], format="yuv420p")
        frame.pts = number * step
        wall, cpu = time.perf_counter(), time.process_time()
        payloads = encoder.encode(frame, force_key=number == _FORCED)
        spent_s, cpu_s = spent_s + time.perf_counter() - wall, cpu_s + time.process_time() - cpu
        inspector.look(payloads, number == _FORCED)
        for payload in payloads:
            size += len(payload.payload)
            shown = round(payload.pts / step)
            forced_key = forced_key or (payload.key and shown >= _FORCED)
            errors += reader.errors(payload.payload, scene[shown % _SCENE], settings)
            if forced_key:
                # Who joins in the middle must be able to begin there.
                late.errors(payload.payload, scene[shown % _SCENE], settings)
    if len(errors) < pictures - encoder.traits.delay_pictures:
        return Verdict(kind.name, False, f"of {pictures} pictures {len(errors)} came out")
    if not forced_key or not late.pictures:
        return Verdict(kind.name, False, "it makes no key frame on demand")
    psnr = float(np.mean([_psnr(error) for error in errors]))
    if psnr < LEAST_PSNR_DB:
        return Verdict(kind.name, False, f"its pictures are not those it was given (PSNR {psnr:.0f} dB)")
    bps = size * 8 * settings.fps / pictures
    return Verdict(kind.name, True, "", pictures / spent_s, 1000 * cpu_s / pictures, psnr, bps)


class _Reader:
    """Decodes what an encoder gives and compares it. Raises EncoderError."""

    def __init__(self, codec: Codec) -> None:
        context = av.CodecContext.create(_DECODERS[codec], "r")
        assert isinstance(context, VideoCodecContext)
        context.thread_count = 1
        context.flags |= av.codec.context.Flags.low_delay
        self._context = context
        self.pictures = 0

    def errors(self, payload: memoryview, given: NDArray[np.uint8], settings: EncoderSettings) -> list[float]:
        """The mean squared error of each picture that comes out."""
        try:
            pictures = self._context.decode(av.Packet(bytes(payload)))
        except av.FFmpegError as error:
            raise EncoderError(f"what it gives cannot be decoded: {error}") from error
        found = []
        for picture in pictures:
            if (picture.width, picture.height) != (settings.width, settings.height):
                raise EncoderError(f"its pictures are {picture.width}x{picture.height}")
            plane = picture.planes[0]
            rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            luma = rows[: settings.height, : settings.width].astype(np.float32)
            found.append(float(np.mean((luma - given[: settings.height]) ** 2)))
        self.pictures += len(found)
        return found


def _psnr(error: float) -> float:
    return 10 * float(np.log10(255**2 / max(error, 1e-3)))


def _draw(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """An I420 picture: a shaded wall in which something moves."""
    picture = np.full((height * 3 // 2, width), 128, np.uint8)
    shade = np.linspace(60, 190, width)[None, :] + np.linspace(-30, 30, height)[:, None]
    picture[:height] = np.clip(shade, 16, 235)
    side = max(8, height // 4)
    left = (width - side) * number // _SCENE
    picture[height // 3 : height // 3 + side, left : left + side] = 235 - 15 * number
    return picture


def main(arguments: list[str]) -> None:
    # A call that is going on comes first.
    with contextlib.suppress(OSError):
        os.nice(10)
    # FFmpeg's own words say more than its error codes.
    av.logging.set_level(av.logging.ERROR)
    settings = EncoderSettings(*(int(each) for each in arguments[:4]))
    for name in arguments[5:]:
        _say({"begins": name})
        _say(dataclasses.asdict(try_encoder(KINDS[name], settings, int(arguments[4]))))


def _say(message: dict[str, object]) -> None:
    # Libraries print to the standard output, too: what is ours begins with a mark.
    sys.stdout.write(f"\n{MARK}{json.dumps(message)}\n")
    sys.stdout.flush()


MARK = "callagent-probe "


if __name__ == "__main__":
    main(sys.argv[1:])
