# SPDX-License-Identifier: GPL-3.0-or-later
"""What this machine sends: one stream per codec and layer, the same for every peer."""

from typing import Any, overload

from callagent.media.audio_stream import AudioEncodedStream
from callagent.media.camera_slot import CameraSlot
from callagent.media.encoders.roster import EncoderRoster
from callagent.media.layered_stream import LayeredVideoStream
from callagent.media.microphone_slot import MicrophoneSlot
from callagent.media.opus import DEFAULT_SETTINGS, OpusSettings
from callagent.media.rate_control import least_bps
from callagent.media.video_settings import VideoOrientation, VideoSettings
from callagent.media.video_stream import VideoEncodedStream
from callagent.ports import UNTRACED, Codec, Layer, Tracer


class LocalStreams:
    """A `ports.LocalMedia` in front of the camera and microphone slots; used on the event loop.

    A stream is made when it is first asked for and kept; it encodes only while somebody subscribes.
    """

    def __init__(
        self,
        camera: CameraSlot,
        microphone: MicrophoneSlot,
        video_settings: VideoSettings | None = None,
        encoders: EncoderRoster | None = None,
        *,
        sound: OpusSettings = DEFAULT_SETTINGS,
        passthrough: bool = False,
        tracer: Tracer = UNTRACED,
    ) -> None:
        """`encoders`: none: software. `passthrough`: what the camera has encoded may go out as it is."""
        self._camera = camera
        self._settings = video_settings or VideoSettings()
        self._encoders = encoders or EncoderRoster()
        self._passthrough = passthrough and self._encoders.takes_camera
        self._tracer = tracer
        self._video: dict[tuple[Codec, Layer], VideoEncodedStream] = {}
        self._layered: dict[Codec, LayeredVideoStream] = {}
        self._audio = AudioEncodedStream(microphone, sound)

    @overload
    def video(self, codec: Codec, layer: Layer) -> VideoEncodedStream: ...

    @overload
    def video(self, codec: Codec, layer: Layer | None) -> VideoEncodedStream | LayeredVideoStream: ...

    def video(self, codec: Codec, layer: Layer | None) -> VideoEncodedStream | LayeredVideoStream:
        """Raises ValueError for a codec that is none of video."""
        if layer is not None:
            return self._layer(codec, layer)
        if codec not in self._layered:
            high, low = self._layer(codec, Layer.HIGH), self._layer(codec, Layer.LOW)
            full_bps = self._settings.bitrate_bps
            self._layered[codec] = LayeredVideoStream(
                high, low, min_bps=least_bps(full_bps), high_bps=full_bps
            )
        return self._layered[codec]

    def _layer(self, codec: Codec, layer: Layer) -> VideoEncodedStream:
        key = (codec, layer)
        if key not in self._video:
            settings = self._settings if layer is Layer.HIGH else self._settings.low()
            self._video[key] = VideoEncodedStream(
                codec,
                layer,
                self._camera,
                settings,
                encoders=self._encoders,
                # The low layer is smaller than what any camera encodes.
                passthrough=self._passthrough and layer is Layer.HIGH,
                tracer=self._tracer,
            )
        return self._video[key]

    @property
    def orientation(self) -> VideoOrientation:
        """How sent pictures lie; may be set during a call."""
        return self._settings.orientation

    @orientation.setter
    def orientation(self, orientation: VideoOrientation) -> None:
        self._settings = self._settings.turned(orientation)
        for stream in self._video.values():
            stream.orientation = orientation

    def video_details(self) -> dict[str, Any]:
        """For the status: the encoder of each stream that is taken, by codec and layer; what went wrong."""
        streams = {f"{codec.value} {layer.value}": stream for (codec, layer), stream in self._video.items()}
        details = {name: stream.details for name, stream in streams.items()}
        return {name: each for name, each in details.items() if each} | self._encoders.report()

    def audio(self) -> AudioEncodedStream:
        return self._audio

    def wait_stopped(self, timeout_s: float) -> bool:
        """Block until all encoder threads have ended after the last subscribers left; for the shutdown."""
        stopped = [stream.wait_stopped(timeout_s) for stream in self._video.values()]
        return self._audio.wait_stopped(timeout_s) and all(stopped)
