# SPDX-License-Identifier: GPL-3.0-or-later
"""Which device the configuration means, among those present now. Blocks: for worker threads."""

import os
from fnmatch import fnmatchcase

from callagent.config.camera import CameraConfig, CameraSelector
from callagent.config.sound_devices import MicrophoneConfig, SpeakerConfig
from callagent.devices.alsa import AlsaMicrophone, AlsaSpeaker
from callagent.devices.errors import NO_CAMERA, NO_MICROPHONE, SPEAKER_FAIL
from callagent.devices.listing import DeviceInfo, list_cameras, list_microphones, list_speakers
from callagent.devices.video4linux import V4l2Camera
from callagent.devices.virtual import VirtualCamera, VirtualMicrophone, VirtualSpeaker
from callagent.ports import AudioOutput, AudioSource, SourceError, VideoSource


def present_devices() -> dict[str, str]:
    """For each slot `auto` where a device of its kind is plugged in, else `virtual`: the demo's choice."""
    present = {"camera": list_cameras(), "microphone": list_microphones(), "speaker": list_speakers()}
    return {slot: "auto" if devices else "virtual" for slot, devices in present.items()}


def choose_camera(config: CameraConfig) -> VideoSource:
    """Raises SourceError when no camera is wanted, or none that is present matches."""
    if config.device == "virtual":
        return VirtualCamera(ident=config.virtual.ident)
    if config.device == "none":
        raise SourceError("No camera is configured", NO_CAMERA)
    present = list_cameras()
    if config.device == "auto":
        matching = present
    else:
        matching = [camera for selector in config.device for camera in present if _matches(selector, camera)]
    if not matching:
        raise SourceError(
            "No camera is plugged in" if not present else "No camera matches the selectors", NO_CAMERA
        )
    return V4l2Camera(matching[0].path)


def choose_microphone(config: MicrophoneConfig) -> AudioSource:
    """Raises SourceError when no microphone is wanted or present."""
    match config.device:
        case "virtual":
            return VirtualMicrophone(tone_hz=config.virtual.tone_hz, speech=config.virtual.speech)
        case "none":
            raise SourceError("No microphone is configured", NO_MICROPHONE)
        case "auto":
            present = list_microphones()
            if not present:
                raise SourceError("No microphone is plugged in", NO_MICROPHONE)
            return AlsaMicrophone(present[0].path)
        case name:
            return AlsaMicrophone(name)


def choose_speaker(device: str, config: SpeakerConfig) -> AudioOutput:
    """`device` as in the configuration: the ring may have its own. Raises SourceError when there is none."""
    match device:
        case "virtual":
            return VirtualSpeaker(record=config.virtual.record)
        case "none":
            raise SourceError("No speaker is configured", SPEAKER_FAIL)
        case "auto":
            present = list_speakers()
            if not present:
                raise SourceError("No speaker is plugged in", SPEAKER_FAIL)
            return AlsaSpeaker(present[0].path)
        case name:
            return AlsaSpeaker(name)


def _matches(selector: CameraSelector, camera: DeviceInfo) -> bool:
    if selector.name is not None and not fnmatchcase(camera.name, selector.name):
        return False
    if selector.path is None:
        return True
    # A link below /dev/v4l/by-id or by-path means the node it leads to.
    node = os.path.realpath(selector.path)
    return camera.path == node or any(fnmatchcase(text, selector.path) for text in (camera.path, camera.id))
