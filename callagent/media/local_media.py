# SPDX-License-Identifier: GPL-3.0-or-later
"""What this machine sends: one stream per codec and layer, the same for every peer."""

from callagent.media.audio_stream import AudioEncodedStream
from callagent.media.camera_slot import CameraSlot
from callagent.media.microphone_slot import MicrophoneSlot
from callagent.media.video_settings import VideoSettings
from callagent.media.video_stream import VideoEncodedStream
from callagent.ports import Codec, Layer


class LocalStreams:
    """A `ports.LocalMedia` in front of the camera and microphone slots; used on the event loop.

    A stream is made when it is first asked for and kept; it encodes only while somebody subscribes.
    """

    def __init__(
        self, camera: CameraSlot, microphone: MicrophoneSlot, video_settings: VideoSettings | None = None
    ) -> None:
        self._camera = camera
        self._settings = video_settings or VideoSettings()
        self._video: dict[tuple[Codec, Layer], VideoEncodedStream] = {}
        self._audio = AudioEncodedStream(microphone)

    def video(self, codec: Codec, layer: Layer) -> VideoEncodedStream:
        """Raises ValueError for a codec that is none of video."""
        key = (codec, layer)
        if key not in self._video:
            settings = self._settings if layer is Layer.HIGH else self._settings.low()
            self._video[key] = VideoEncodedStream(codec, layer, self._camera, settings)
        return self._video[key]

    def audio(self) -> AudioEncodedStream:
        return self._audio

    def wait_stopped(self, timeout_s: float) -> bool:
        """Block until all encoder threads have ended after the last subscribers left; for the shutdown."""
        stopped = [stream.wait_stopped(timeout_s) for stream in self._video.values()]
        return self._audio.wait_stopped(timeout_s) and all(stopped)
