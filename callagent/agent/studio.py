# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine's camera, microphone, speaker and screen, as calls see them: slots with devices behind.

All on the loop; the slots' own threads do what blocks.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from callagent.agent.binding import Binding
from callagent.agent.choose import choose_camera, choose_microphone, choose_speaker
from callagent.agent.remote import RemoteOutputs
from callagent.config import AgentConfig
from callagent.devices.virtual import VirtualScreen, VirtualSpeaker
from callagent.devices.virtual.tone_meter import tone_db
from callagent.media import (
    CameraSlot,
    LocalStreams,
    MicrophoneSlot,
    Sound,
    SoundPlayer,
    SpeakerSlot,
    VideoSettings,
)
from callagent.ports import VideoMode

CLOSE_LIMIT_S = 2.0


class Studio:
    """Everything between the call engine and the devices of one agent."""

    def __init__(self, config: AgentConfig, slots_changed: Callable[[], None]) -> None:
        """`slots_changed` is called from any thread whenever a slot's state or reason changes."""
        self.camera = CameraSlot()
        self.microphone = MicrophoneSlot()
        self.speaker = SpeakerSlot()
        self.speaker.volume = config.speaker.volume
        ring_device = config.sound.ring.device
        self.ring_speaker = SpeakerSlot() if ring_device else self.speaker
        self.screen = VirtualScreen(record=config.screen.virtual.record)
        size, fps = config.video.size, config.video.fps
        self.local = LocalStreams(
            self.camera, self.microphone, VideoSettings(*size, fps, config.video.target_bps)
        )
        self.remote = RemoteOutputs(self.speaker.mixer, self.screen)
        self._mode = VideoMode(config.camera.width, config.camera.height, config.camera.fps)
        self._sound = config.sound
        self._sounds: SoundPlayer | None = None
        self._slots_changed = slots_changed
        choose = partial(choose_speaker, config=config.speaker)
        self._speaker_binding = self._bind("speaker", self.speaker, partial(choose, config.speaker.device))
        self._bindings = [
            self._bind("camera", self.camera, partial(choose_camera, config.camera)),
            self._bind("microphone", self.microphone, partial(choose_microphone, config.microphone)),
            self._speaker_binding,
        ]
        if ring_device:
            self._bindings.append(self._bind("ring speaker", self.ring_speaker, partial(choose, ring_device)))

    def _bind(self, name: str, slot: Any, choose: Callable[[], Any]) -> Binding[Any]:
        binding: Binding[Any] = Binding(name, slot, choose)

        def changed() -> None:
            binding.slot_changed()
            self._slots_changed()

        slot.on_change = changed
        return binding

    async def start(self) -> None:
        """Choose a device for each slot; camera and microphone are opened only when wanted."""
        self._sounds = await asyncio.to_thread(self._load_sounds)
        await asyncio.gather(*(binding.start() for binding in self._bindings))
        # Speakers run all the time: a sound must not wait for a card to open.
        self.speaker.start()
        self.ring_speaker.start()

    def _load_sounds(self) -> SoundPlayer:
        return SoundPlayer(
            self.speaker,
            self.ring_speaker,
            dialing=self._sound.dialing,
            ringing=self._sound.ringing,
            hangup=self._sound.hangup,
            ring_volume=self._sound.ring.volume,
        )

    @property
    def sound_problems(self) -> list[str]:
        """Configured sounds that cannot be used, one sentence each."""
        return [str(problem) for problem in self._sounds.problems] if self._sounds else []

    def heard_db(self, tone_hz: float) -> float | None:
        """How far a tone stood out of the last half second at a virtual speaker; None at a real one."""
        speaker = self._speaker_binding.chosen
        if not isinstance(speaker, VirtualSpeaker):
            return None
        return tone_db(speaker.recent(0.5), tone_hz)

    async def close(self) -> None:
        """Release every device. Idempotent; a driver that hangs is waited for two seconds."""
        for binding in self._bindings:
            await binding.close()
        self.stop_sounds()
        slots: set[CameraSlot | MicrophoneSlot | SpeakerSlot] = {
            self.camera,
            self.microphone,
            self.speaker,
            self.ring_speaker,
        }
        for slot in slots:
            slot.stop()
        await asyncio.gather(*(asyncio.to_thread(slot.wait_closed, CLOSE_LIMIT_S) for slot in slots))
        await asyncio.to_thread(self.screen.close)

    def begin_call(self, *, camera: bool) -> None:
        """Open what the call needs; an audio call opens no camera."""
        self.microphone.muted = False
        self.microphone.start()
        self.set_camera(camera)

    def end_call(self, *, sound: bool) -> None:
        """Close camera and microphone. Nothing of the call's settings stays for the next."""
        self.stop_sounds()
        self.camera.stop()
        self.microphone.stop()
        self.microphone.muted = False
        if sound:
            self._play(Sound.HANG_UP)

    def set_camera(self, on: bool) -> None:
        if on:
            self.camera.start(self._mode)
        else:
            self.camera.stop()

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
