# SPDX-License-Identifier: GPL-3.0-or-later
"""From configuration and hardware profile to the encoders of this machine."""

import os
from collections.abc import Mapping
from pathlib import Path

from callagent.config import AgentConfig, HardwareProfile
from callagent.media.adaptation import Priority
from callagent.media.encoders.roster import USUAL_ORDER, EncoderChoice, EncoderRoster
from callagent.media.encoders.verdicts import Verdicts
from callagent.media.video_settings import VideoSettings

_FILE = "encoders.json"


def encoder_order(config: AgentConfig, hardware: HardwareProfile | None) -> tuple[EncoderChoice, ...]:
    """What the configuration names, else the profile, else the usual order."""
    named = config.video.encoders or (hardware.encoders if hardware is not None else [])
    if not named:
        return USUAL_ORDER
    return tuple(
        EncoderChoice(each.name, {key: _text(value) for key, value in each.options.items()}) for each in named
    )


def machine_encoders(
    config: AgentConfig, hardware: HardwareProfile | None, file: Path | None = None
) -> EncoderRoster:
    """With hardware, which is tried in the background; `file` keeps the results. Blocks on small files."""
    verdicts = Verdicts(file)
    roster = EncoderRoster(encoder_order(config, hardware), known=verdicts)
    verdicts.on_change = roster.news
    return roster


def results_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Where results of probes are kept: systemd's CacheDirectory= of the unit, else the user's own cache."""
    folder = environment.get("CACHE_DIRECTORY")
    if folder:
        return Path(folder.partition(":")[0]) / _FILE
    home = environment.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "callagent" / _FILE


def video_settings(config: AgentConfig) -> VideoSettings:
    video = config.video
    priority = Priority(video.priority)
    return VideoSettings(*video.size, video.fps, video.target_bps, video.orientation, priority)


def camera_encodes(config: AgentConfig, encoders: EncoderRoster) -> bool:
    """Whether a camera that gives H.264 of the wished size is to give it: it can go out as it is."""
    camera, video = config.camera, config.video
    if video.passthrough == "never" or not encoders.takes_camera or video.codecs[0] != "H264":
        return False
    sent = video_settings(config).place(camera.width, camera.height).encoder
    same_size = (sent.width, sent.height) == (camera.width, camera.height)
    return camera.rotation == 0 and same_size and camera.fps <= video.fps


def _text(value: bool | int | str) -> str:
    # As FFmpeg and GStreamer read it: 1 and 0 are understood by both.
    return str(int(value)) if isinstance(value, bool) else str(value)
