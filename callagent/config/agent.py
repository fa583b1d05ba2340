# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's whole configuration."""

from typing import Self

from pydantic import Field, model_validator

from callagent.config.answer import AnswerConfig
from callagent.config.audio import AudioConfig
from callagent.config.base import Section, key_error
from callagent.config.call import CallConfig
from callagent.config.camera import CameraConfig
from callagent.config.control import ControlConfig
from callagent.config.hardware import HardwareConfig
from callagent.config.identity import IdentityConfig, LoginConfig
from callagent.config.log import LogConfig
from callagent.config.media import MediaConfig
from callagent.config.panel import ButtonConfig, DoorConfig, GpioConfig, LightConfig
from callagent.config.screen import ScreenConfig
from callagent.config.service import ServiceConfig
from callagent.config.sound_devices import MicrophoneConfig, SpeakerConfig
from callagent.config.sounds import SoundConfig
from callagent.config.video import VideoConfig


class AgentConfig(Section):
    service: ServiceConfig = ServiceConfig()
    identity: IdentityConfig
    login: LoginConfig = LoginConfig()
    camera: CameraConfig = CameraConfig()
    video: VideoConfig = VideoConfig()
    microphone: MicrophoneConfig = MicrophoneConfig()
    speaker: SpeakerConfig = SpeakerConfig()
    audio: AudioConfig = AudioConfig()
    screen: ScreenConfig = ScreenConfig()
    sound: SoundConfig = SoundConfig()
    answer: AnswerConfig = Field(default_factory=lambda: AnswerConfig.model_validate({}))
    call: CallConfig = CallConfig()
    hardware: HardwareConfig = HardwareConfig()
    gpio: GpioConfig = GpioConfig()
    buttons: list[ButtonConfig] = []
    lights: list[LightConfig] = []
    door: DoorConfig | None = None
    media: MediaConfig = MediaConfig()
    control: ControlConfig = ControlConfig()
    log: LogConfig = LogConfig()

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for key, parts in (("buttons", self.buttons), ("lights", self.lights)):
            names = [part.name for part in parts]
            if len(set(names)) != len(names):
                raise key_error(key, "has two of one name")
        door_used = any("door" in (each.press, each.long, each.double) for each in self.buttons)
        if door_used and self.door is None:
            raise key_error("door", "is required: a button opens it")
        return self
