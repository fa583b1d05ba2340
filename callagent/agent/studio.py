# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine's camera, microphone, speaker and screen, as calls see them: slots with devices behind.

All on the loop; the slots' own threads do what blocks.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Literal

from callagent.agent.binding import Binding
from callagent.agent.devices import camera_maker, microphone_maker, speaker_maker, wanted
from callagent.agent.encoding import camera_encodes, video_settings
from callagent.agent.orientation import Orientation
from callagent.agent.remote import RemoteOutputs
from callagent.config import AgentConfig
from callagent.config.audio import AudioConfig
from callagent.devices.inventory import DeviceKind
from callagent.devices.nodes import Nodes
from callagent.devices.registry import Registry
from callagent.devices.virtual import VirtualScreen, VirtualSpeaker
from callagent.devices.virtual.tone_meter import tone_db
from callagent.media import (
    CameraSlot,
    LatencyTracer,
    LocalStreams,
    MicrophoneSlot,
    Sound,
    SoundPlayer,
    SpeakerSlot,
)
from callagent.media.audio_processing import (
    EchoCancellation,
    NoiseSuppression,
    ProcessingSettings,
    SoundProcessing,
)
from callagent.media.encoders.roster import EncoderRoster
from callagent.media.opus import OpusSettings
from callagent.ports import Codec, VideoMode, VideoSource
from callagent.protocol.errors import CallAgentError, ErrorCode

logger = logging.getLogger(__name__)

CLOSE_LIMIT_S = 2.0


class Studio:
    """Everything between the call engine and the devices of one agent."""

    def __init__(
        self,
        config: AgentConfig,
        registry: Registry,
        nodes: Nodes,
        slots_changed: Callable[[], None],
        devices_changed: Callable[[], None] = lambda: None,
        camera_made: Callable[[VideoSource], None] = lambda _: None,
        encoders: EncoderRoster | None = None,
    ) -> None:
        """`slots_changed` is called from any thread whenever a slot's state or reason changes.

        `devices_changed` is called on the loop when another device is behind a slot, or can be;
        `camera_made` with each camera before it is opened. `encoders`: none: software.
        """
        self.tracer = LatencyTracer()
        self.camera = CameraSlot()
        self.processing = SoundProcessing(_processing_settings(config.audio))
        period_s = config.microphone.period_ms / 1000
        self.microphone = MicrophoneSlot(period_s=period_s, processing=self.processing)
        self.speaker = SpeakerSlot(processing=self.processing)
        self.speaker.volume = config.speaker.volume
        ring_device = config.sound.ring.device
        self.ring_speaker = SpeakerSlot() if ring_device else self.speaker
        self.screen = VirtualScreen(record=config.screen.virtual.record)
        self._encoders = encoders or EncoderRoster()
        coded = camera_encodes(config, self._encoders)
        self.local = LocalStreams(
            self.camera,
            self.microphone,
            video_settings(config),
            self._encoders,
            sound=_opus_settings(config.audio),
            passthrough=config.video.passthrough == "auto",
            tracer=self.tracer,
        )
        self.remote = RemoteOutputs(self.speaker.mixer, self.screen, tracer=self.tracer)
        self._config = config
        self._mode = VideoMode(config.camera.width, config.camera.height, config.camera.fps)
        self._sounds: SoundPlayer | None = None
        self._registry = registry
        self._slots_changed = slots_changed
        self._devices_changed = devices_changed
        self._camera_wanted = False
        self._call = False
        self._private = False
        self._warm = False
        self._side: Literal["front", "back"] = "front"
        self._orientation: Orientation | None = None
        self._rotate()
        self.bindings: dict[str, Binding[Any]] = {
            "camera": self._bind(
                self.camera,
                wanted(DeviceKind.CAMERA, config.camera.device, follow=config.camera.follow),
                camera_maker(config, nodes, camera_made, coded=coded),
            ),
            "microphone": self._bind(
                self.microphone,
                wanted(DeviceKind.MICROPHONE, config.microphone.device, follow=config.microphone.follow),
                microphone_maker(config.microphone, nodes),
            ),
            "speaker": self._bind(
                self.speaker,
                wanted(DeviceKind.SPEAKER, config.speaker.device, follow=config.speaker.follow),
                speaker_maker(config.speaker.device, config.speaker, nodes),
            ),
        }
        if ring_device:
            self.bindings["ring_speaker"] = self._bind(
                self.ring_speaker,
                wanted(DeviceKind.SPEAKER, ring_device, follow=config.speaker.follow),
                speaker_maker(ring_device, config.speaker, nodes),
            )

    def _bind(self, slot: Any, devices: Any, make: Callable[[Any], Any]) -> Binding[Any]:
        binding: Binding[Any] = Binding(slot, self._registry, devices, make, self._devices_changed)

        def changed() -> None:
            binding.slot_changed()
            self._slots_changed()

        slot.on_change = changed
        return binding

    @property
    def slots(self) -> dict[str, CameraSlot | MicrophoneSlot | SpeakerSlot]:
        """By the names of the control API."""
        slots: dict[str, CameraSlot | MicrophoneSlot | SpeakerSlot] = {
            "camera": self.camera,
            "microphone": self.microphone,
            "speaker": self.speaker,
        }
        return slots | ({"ring_speaker": self.ring_speaker} if "ring_speaker" in self.bindings else {})

    async def start(self) -> None:
        """Choose a device for each slot; camera and microphone are opened only when wanted."""
        self._sounds = await asyncio.to_thread(self._load_sounds)
        # Hardware that has not been tried yet is tried now, so that the first call has it.
        sent = video_settings(self._config).place(self._mode.width, self._mode.height).encoder
        codecs = [Codec(name) for name in self._config.video.codecs]
        await asyncio.to_thread(self._encoders.prepare, codecs, sent)
        for binding in self.bindings.values():
            binding.start()
        for problem in self.processing.problems:
            logger.warning("%s", problem)
        for speaker in (self.speaker, self.ring_speaker):
            self._settle(speaker)

    def _settle(self, speaker: SpeakerSlot) -> None:
        """As it is while there is no call."""
        if self._config.speaker.keep_open:
            speaker.start()
        else:
            speaker.rest()

    def _load_sounds(self) -> SoundPlayer:
        sound = self._config.sound
        return SoundPlayer(
            self.speaker,
            self.ring_speaker,
            dialing=sound.dialing,
            ringing=sound.ringing,
            hangup=sound.hangup,
            ring_volume=sound.ring.volume,
        )

    @property
    def sound_problems(self) -> list[str]:
        """Configured sounds that cannot be used, one sentence each."""
        return [str(problem) for problem in self._sounds.problems] if self._sounds else []

    def heard_db(self, tone_hz: float) -> float | None:
        """How far a tone stood out of the last half second at a virtual speaker; None at a real one."""
        speaker = self.bindings["speaker"].source
        if not isinstance(speaker, VirtualSpeaker):
            return None
        return tone_db(speaker.recent(0.5), tone_hz)

    async def close(self) -> None:
        """Release every device. Idempotent; a driver that hangs is waited for two seconds."""
        for binding in self.bindings.values():
            binding.close()
        self.stop_sounds()
        slots = list(self.slots.values())
        for slot in slots:
            slot.stop()
        await asyncio.gather(
            asyncio.to_thread(self.remote.wait_released, CLOSE_LIMIT_S),
            *(asyncio.to_thread(slot.wait_closed, CLOSE_LIMIT_S) for slot in slots),
        )
        await asyncio.to_thread(self.screen.close)

    # --- of a call ------------------------------------------------------------

    def warm_up(self) -> None:
        """Somebody is being rung: open the camera already, where that is configured. Nothing is sent."""
        self._warm = self._config.camera.warm == "ringing"
        if self._warm:
            self._front_as_configured()
            self._apply()

    def begin_call(self, *, camera: bool) -> None:
        """Open what the call needs; an audio call opens no camera."""
        if not self._warm:
            self._front_as_configured()
        self._warm = False
        self.microphone.muted = False
        self.speaker.volume = self._config.speaker.volume
        self._call = True
        self._camera_wanted = camera
        # Open before the first voice comes.
        self.speaker.start()
        self._apply()

    def end_call(self, *, sound: bool) -> None:
        """Close camera and microphone. Nothing of the call's settings stays for the next."""
        self.stop_sounds()
        self._call = self._camera_wanted = self._warm = False
        self._apply()
        self.microphone.muted = False
        self.speaker.volume = self._config.speaker.volume
        self._settle(self.speaker)
        if sound:
            self._play(Sound.HANG_UP)

    def set_camera(self, on: bool) -> None:
        self._camera_wanted = on
        self._apply()

    def switch_camera(self, side: Literal["front", "back"] | None) -> None:
        """None: to the other one; for the present call. Raises REQUEST_REFUSED without a back camera."""
        camera = self._config.camera
        if camera.back is None:
            raise CallAgentError(ErrorCode.REQUEST_REFUSED, "No other camera is configured (camera.back)")
        self._side = side or ("front" if self._side == "back" else "back")
        front = camera.front or (camera.device if isinstance(camera.device, list) else None)
        self.bindings["camera"].select(camera.back if self._side == "back" else front)
        self._rotate()

    def orient(self, orientation: Orientation) -> None:
        """The camera's picture stands upright however the box is turned, in a running call too."""
        self._orientation = orientation
        self._rotate()

    def _rotate(self) -> None:
        built_in = self._config.camera.rotation
        if self._orientation is None:
            self.camera.rotation = built_in
        else:
            self.camera.rotation = self._orientation.camera_rotation(built_in, self._side)

    def _front_as_configured(self) -> None:
        self._side = "front"
        self.bindings["camera"].as_configured()
        self._rotate()

    def set_privacy(self, on: bool, reason: str = "") -> None:
        """While it is on, camera and microphone are closed at the device; their slots say why."""
        self._private = on
        for name in ("camera", "microphone"):
            if on:
                self.bindings[name].block(reason)
            else:
                self.bindings[name].unblock()

    def _apply(self) -> None:
        """Slots follow what the call wants."""
        if self._camera_wanted or self._warm:
            self.camera.start(self._mode)
        else:
            self.camera.stop()
        if self._call:
            self.microphone.start()
        else:
            self.microphone.stop()

    def on_air(self) -> bool:
        """Whether picture or sound of this place is really being captured: for the light."""
        camera = self.camera.live_source is not None
        return camera or (self.microphone.live_source is not None and not self.microphone.muted)

    # --- sounds ---------------------------------------------------------------

    def play_ringing(self) -> None:
        self._play(Sound.RINGING, loop=True)

    def play_chime(self) -> None:
        self._play(Sound.RINGING)

    def play_dialing(self) -> None:
        self._play(Sound.DIALING, loop=True)

    def stop_sounds(self) -> None:
        if self._sounds is not None:
            self._sounds.stop()

    def _play(self, sound: Sound, *, loop: bool = False) -> None:
        if self._sounds is not None:
            self._sounds.play(sound, loop)


def _opus_settings(config: AudioConfig) -> OpusSettings:
    return OpusSettings(
        packet_ms=config.packet_ms,
        complexity=config.complexity,
        low_delay=config.application == "low_delay",
        dtx=config.dtx,
    )


def _processing_settings(config: AudioConfig) -> ProcessingSettings:
    return ProcessingSettings(
        EchoCancellation(config.echo_cancellation),
        NoiseSuppression(config.noise_suppression),
        gain_control=config.gain_control,
        high_pass=config.high_pass,
    )
