# SPDX-License-Identifier: GPL-3.0-or-later
"""From lens to encoded frame, from encoded frame to speaker: slots, encoders, mixer, sounds."""

from callagent.media.camera_slot import CameraSlot
from callagent.media.latency import LatencyTracer
from callagent.media.local_media import LocalStreams
from callagent.media.microphone_slot import MicrophoneSlot
from callagent.media.mixer import Mixer, MixerInput
from callagent.media.sound_file import SoundProblem
from callagent.media.sound_player import Sound, SoundPlayer
from callagent.media.speaker_slot import SpeakerSlot
from callagent.media.video_settings import VideoSettings

__all__ = [
    "CameraSlot",
    "LatencyTracer",
    "LocalStreams",
    "MicrophoneSlot",
    "Mixer",
    "MixerInput",
    "Sound",
    "SoundPlayer",
    "SoundProblem",
    "SpeakerSlot",
    "VideoSettings",
]
