# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's whole configuration."""

from pydantic import Field

from callagent.config.answer import AnswerConfig
from callagent.config.base import Section
from callagent.config.call import CallConfig
from callagent.config.camera import CameraConfig
from callagent.config.control import ControlConfig
from callagent.config.identity import IdentityConfig, LoginConfig
from callagent.config.log import LogConfig
from callagent.config.media import MediaConfig
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
    screen: ScreenConfig = ScreenConfig()
    sound: SoundConfig = SoundConfig()
    answer: AnswerConfig = Field(default_factory=lambda: AnswerConfig.model_validate({}))
    call: CallConfig = CallConfig()
    media: MediaConfig = MediaConfig()
    control: ControlConfig = ControlConfig()
    log: LogConfig = LogConfig()
