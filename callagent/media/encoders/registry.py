# SPDX-License-Identifier: GPL-3.0-or-later
"""Every encoder there may be, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from callagent.media.encoders import ffmpeg_hardware, gi_access, gst
from callagent.media.encoders.base import EncoderSettings, VideoEncoder
from callagent.media.encoders.gst_elements import ELEMENTS
from callagent.media.encoders.vp8 import Vp8Encoder
from callagent.media.encoders.x264 import X264Encoder
from callagent.ports import Codec

CAMERA = "camera"
"""In an order of encoders: what the camera has encoded itself goes out as it is."""
_V4L2_CLASS = Path("/sys/class/video4linux")
_DRM_CLASS = Path("/sys/class/drm")


@dataclass(frozen=True, slots=True)
class EncoderKind:
    """One encoder that may or may not be of use on this machine."""

    name: str
    codec: Codec
    hardware: bool
    make: Callable[[EncoderSettings, Mapping[str, str]], VideoEncoder]
    """Raises EncoderError."""
    untested: bool = False
    """No board has run it."""
    missing: Callable[[], str] = lambda: ""
    """Why it cannot be here at all, in one sentence, without trying it; empty when it can."""
    identity: Callable[[], str] = lambda: ""
    """Of driver and device: a result of a probe holds as long as it stays the same."""
    fallback: bool = False
    """Comes after all others, named or not: a call must go on."""


def _v4l2_devices() -> str:
    """Names of all V4L2 nodes, cameras included: sysfs does not tell them from encoders."""
    return ",".join(sorted(_read(node / "name") for node in _nodes(_V4L2_CLASS)))


def _drm_devices() -> str:
    """PCI or platform identity of the render nodes, and the version of NVIDIA's driver."""
    cards = [_read(node / "device/uevent") for node in _nodes(_DRM_CLASS) if node.name.startswith("renderD")]
    return ",".join([*sorted(cards), _read(Path("/sys/module/nvidia/version"))])


def _nodes(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _read(path: Path) -> str:
    try:
        return " ".join(path.read_text(errors="replace").split())
    except OSError:
        return ""


def _no_v4l2_encoder() -> str:
    return "" if _nodes(_V4L2_CLASS) else "there is no V4L2 device"


def _ffmpeg(encoder: type[ffmpeg_hardware.FfmpegHardwareEncoder], *, untested: bool = True) -> EncoderKind:
    v4l2 = encoder is ffmpeg_hardware.V4l2M2mEncoder
    return EncoderKind(
        encoder.library,
        Codec.H264,
        True,
        encoder,
        untested,
        _no_v4l2_encoder if v4l2 else lambda: "",
        _v4l2_devices if v4l2 else _drm_devices,
    )


def _gst(name: str) -> EncoderKind:
    element = ELEMENTS[name]
    return EncoderKind(
        name,
        Codec.H264,
        element.hardware,
        partial(gst.GstEncoder, name),
        element.hardware,
        partial(gst.missing, name),
        lambda: ",".join((_v4l2_devices(), _drm_devices(), _gst_plugins())),
    )


def _gst_plugins() -> str:
    """When plugins or PyGObject were installed last; GStreamer itself is not loaded for that."""
    folders = [Path(gi_access.DEBIAN_PACKAGES) / "gi", *Path("/usr/lib").glob("*/gstreamer-1.0")]
    return " ".join(str(folder.stat().st_mtime_ns) for folder in folders if folder.is_dir())


_ALL = (
    _ffmpeg(ffmpeg_hardware.V4l2M2mEncoder, untested=False),
    _ffmpeg(ffmpeg_hardware.NvencEncoder),
    _ffmpeg(ffmpeg_hardware.QsvEncoder),
    _ffmpeg(ffmpeg_hardware.AmfEncoder),
    *(_gst(name) for name in ELEMENTS),
    EncoderKind("libx264", Codec.H264, False, X264Encoder, fallback=True),
    EncoderKind("libvpx", Codec.VP8, False, Vp8Encoder, fallback=True),
)
KINDS: dict[str, EncoderKind] = {kind.name: kind for kind in _ALL}
"""By the names of the configuration."""
DEFAULT_ORDER = (
    CAMERA,
    "vah264enc",
    "v4l2h264enc",
    "h264_v4l2m2m",
    "mpph264enc",
    "nvv4l2h264enc",
    "h264_nvenc",
    "h264_qsv",
    "h264_amf",
    "vaapih264enc",
    "libx264",
    "libvpx",
)
"""Where neither the configuration nor the hardware profile names one; hardware that is not there is
refused at once. x264enc is libx264 by a longer way: only who names it gets it."""


def library_versions() -> str:
    """Of what is between this program and the devices."""
    try:
        return f"av {version('av')}"
    except PackageNotFoundError:
        return ""
