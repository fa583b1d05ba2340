# SPDX-License-Identifier: GPL-3.0-or-later
"""The board's own sound cards, set as the hardware profile says."""

from dataclasses import replace

from callagent.config.globs import fits
from callagent.config.profile import CardProfile, SoundProfile
from callagent.devices.accelerometer import Vector
from callagent.devices.displays import Connector
from callagent.devices.inventory import DeviceInfo
from callagent.devices.nodes import Nodes
from callagent.devices.settings import CameraSettings, SoundSettings
from callagent.ports import AudioOutput, AudioSource, VideoSource


class BoardNodes:
    """A `Nodes` that sets the board's own sound cards as the profile says, unless the configuration does."""

    def __init__(self, nodes: Nodes, sound: SoundProfile) -> None:
        self._nodes = nodes
        self._sound = sound

    def camera(self, device: DeviceInfo, settings: CameraSettings) -> VideoSource:
        return self._nodes.camera(device, settings)

    def microphone(self, device: DeviceInfo, settings: SoundSettings) -> AudioSource:
        return self._nodes.microphone(device, _card_settings(device, settings, self._sound.microphone))

    def speaker(self, device: DeviceInfo, settings: SoundSettings) -> AudioOutput:
        return self._nodes.speaker(device, _card_settings(device, settings, self._sound.speaker))

    def connector(self, device: DeviceInfo) -> Connector | None:
        return self._nodes.connector(device)

    def gravity(self, device: DeviceInfo) -> Vector:
        return self._nodes.gravity(device)


def _card_settings(device: DeviceInfo, settings: SoundSettings, card: CardProfile) -> SoundSettings:
    if not fits(card.name, [device.name]):
        return settings
    level = card.level if settings.level is None else settings.level
    return replace(settings, level=level, controls={**card.controls, **settings.controls})
