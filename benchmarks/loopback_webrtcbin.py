# SPDX-License-Identifier: GPL-3.0-or-later
"""GStreamer's webrtcbin, both ends in one process, with our encoders' settings and no jitter buffer."""

import asyncio
import importlib
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from benchmarks.loopback_peer import AS_USUAL, USUAL_EFFORT, Coding
from benchmarks.scene import LatencyLog, Scene
from callagent.media.encoders.gi_access import gstreamer
from tests.impaired_link import ImpairedLink

FPS = 30
BITRATE_BPS = 1_500_000
_ENCODE = {
    "H264": (
        "x264enc name=encoder tune=zerolatency speed-preset={effort} bitrate={kbps}"
        " key-int-max=1073741824 bframes=0 vbv-buf-capacity=500 option-string=scenecut=0:repeat-headers=1"
        " ! video/x-h264,profile=constrained-baseline ! rtph264pay aggregate-mode=zero-latency mtu=1200"
    ),
    "VP8": (
        "vp8enc name=encoder deadline=1 cpu-used={effort} threads=1 target-bitrate={kbps}000 end-usage=cbr"
        " lag-in-frames=0 static-threshold=1 keyframe-max-dist=1000000"
        " min-quantizer=2 max-quantizer=56 undershoot=100 overshoot=15"
        # As FFmpeg divides it: three quarters at first, five sixths to aim at.
        " buffer-size=1250 buffer-initial-size=937 buffer-optimal-size=1042 ! rtpvp8pay mtu=1200"
    ),
}
_DECODE = {
    "H264": "rtph264depay ! avdec_h264 max-threads=1 thread-type=slice",
    "VP8": "rtpvp8depay ! vp8dec threads=1",
}


class GstCall:
    def __init__(self) -> None:
        self._bytes = 0

    def bytes_sent(self) -> int:
        """Of encoded pictures: what RTP adds is left out."""
        return self._bytes

    def encoded(self, _pad: Any, info: Any) -> Any:
        """On the encoder's thread."""
        self._bytes += info.get_buffer().get_size()
        return gstreamer().Gst.PadProbeReturn.OK


class _Source:
    """Pushes the scene at a steady rate, from a thread of its own."""

    def __init__(self, appsrc: Any, scene: Scene, log: LatencyLog) -> None:
        self._appsrc, self._scene, self._log = appsrc, scene, log
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scene", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        gst = gstreamer().Gst
        began, counter = time.monotonic(), 0
        while not self._ended.wait(max(0.0, began + counter / FPS - time.monotonic())):
            buffer = gst.Buffer.new_wrapped(self._scene.picture(counter).tobytes())
            buffer.pts = counter * gst.SECOND // FPS
            self._log.capture(counter)
            self._appsrc.emit("push-buffer", buffer)
            counter += 1


@asynccontextmanager
async def connect(
    codec: str,
    scene: Scene,
    log: LatencyLog,
    link: ImpairedLink | None = None,
    coding: Coding = AS_USUAL,
) -> AsyncIterator[GstCall]:
    """Raises GStreamerMissing and ValueError where its packages are not installed."""
    if link is not None:
        raise ValueError("webrtcbin is measured without a link only")
    gst = _with_webrtc()
    kbps = (coding.bitrate_bps or BITRATE_BPS) // 1000
    encode = _ENCODE[codec].format(kbps=kbps, effort=coding.effort or USUAL_EFFORT[codec])
    caps = f"video/x-raw,format=I420,width={scene.width},height={scene.height},framerate={FPS}/1"
    sending = gst.parse_launch(
        f"appsrc name=source is-live=true format=time block=false caps={caps} ! {encode} pt=96"
        f" ! application/x-rtp,media=video,encoding-name={codec},payload=96,clock-rate=90000"
        " ! webrtcbin name=peer bundle-policy=max-bundle latency=0"
    )
    receiving = gst.Pipeline.new("receiving")
    receiving.add(gst.parse_launch("webrtcbin name=peer bundle-policy=max-bundle latency=0"))
    call = GstCall()
    sending.get_by_name("encoder").get_static_pad("src").add_probe(gst.PadProbeType.BUFFER, call.encoded)
    source = _Source(sending.get_by_name("source"), scene, log)
    a, b = sending.get_by_name("peer"), receiving.get_by_name("peer")
    b.connect("pad-added", lambda _, pad: _decode(receiving, pad, codec, scene, log))
    for one, other in ((a, b), (b, a)):
        one.connect(
            "on-ice-candidate", lambda _, line, text, to=other: to.emit("add-ice-candidate", line, text)
        )
    try:
        receiving.set_state(gst.State.PLAYING)
        sending.set_state(gst.State.PLAYING)
        # Caps reach webrtcbin with the first picture; before that there is nothing to offer.
        source.start()
        await asyncio.to_thread(_negotiate, a, b)
        yield call
    finally:
        source.stop()
        sending.set_state(gst.State.NULL)
        receiving.set_state(gst.State.NULL)


def _with_webrtc() -> Any:
    """GStreamer with the types that webrtcbin's descriptions are of."""
    gst = gstreamer().Gst
    repository = importlib.import_module("gi")
    for name in ("GstSdp", "GstWebRTC"):
        repository.require_version(name, "1.0")
        importlib.import_module(f"gi.repository.{name}")
    return gst


def _negotiate(offerer: Any, answerer: Any) -> None:
    # A description belongs to the reply that brought it, and that to its promise.
    offering = _ask(offerer, "create-offer")
    offer = offering[1].get_value("offer")
    _ask(offerer, "set-local-description", offer)
    _ask(answerer, "set-remote-description", offer)
    answering = _ask(answerer, "create-answer")
    answer = answering[1].get_value("answer")
    _ask(answerer, "set-local-description", answer)
    _ask(offerer, "set-remote-description", answer)


def _ask(peer: Any, signal: str, description: Any = None) -> tuple[Any, Any]:
    """The promise and its reply."""
    promise = gstreamer().Gst.Promise.new()
    peer.emit(signal, description, promise)
    promise.wait()
    reply = promise.get_reply()
    if reply is not None and reply.has_field("error"):
        raise RuntimeError(f"webrtcbin, {signal}: {reply.get_value('error')}")
    return promise, reply


def _decode(pipeline: Any, pad: Any, codec: str, scene: Scene, log: LatencyLog) -> None:
    """On webrtcbin's thread: what comes out of it goes into a decoder and to the log."""
    gst = gstreamer().Gst
    chain = gst.parse_bin_from_description(
        f"{_DECODE[codec]} ! appsink name=sink sync=false max-buffers=1 drop=true emit-signals=true", True
    )

    def arrived(sink: Any) -> Any:
        sample = sink.emit("pull-sample")
        buffer = sample.get_buffer()
        mapped, info = buffer.map(gst.MapFlags.READ)
        if mapped:
            luma = np.frombuffer(info.data, np.uint8)[: scene.width * scene.height]
            log.arrive(luma.reshape(scene.height, scene.width))
            buffer.unmap(info)
        return gst.FlowReturn.OK

    chain.get_by_name("sink").connect("new-sample", arrived)
    pipeline.add(chain)
    chain.sync_state_with_parent()
    pad.link(chain.get_static_pad("sink"))
