# SPDX-License-Identifier: GPL-3.0-or-later
"""GStreamer's H.264 encoders: what each is told. One table; sources are the elements' own documentation.

https://gstreamer.freedesktop.org/documentation/ (x264, va, vaapi, video4linux2),
https://github.com/rockchip-linux/gstreamer-rockchip (mpph264enc),
NVIDIA's Accelerated GStreamer guide for Jetson Linux (nvv4l2h264enc).
"""

from dataclasses import dataclass

LONG_GOP = 1024
"""Pictures between key frames nobody asked for; the most vah264enc takes."""


@dataclass(frozen=True, slots=True)
class GstElement:
    """One encoder element."""

    name: str
    package: str
    """Of Debian, or where else it comes from."""
    properties: dict[str, str]
    rate: str = "bitrate"
    """The property of the target rate; settable while it runs."""
    rate_unit_bps: int = 1000
    rate_controls: str = ""
    """In place of `rate`: V4L2 controls, `{bps}` being the rate; a rate of their own for `extra-controls`."""
    raw: str = "video/x-raw,format=I420"
    """Caps it is fed with."""
    before: str = ""
    """Elements between the source and it."""
    profile: str = "constrained-baseline"
    """Caps it must give; empty: not asked."""
    hardware: bool = True


_ALL = (
    GstElement(
        "x264enc",
        "gstreamer1.0-plugins-ugly",
        {
            "tune": "zerolatency",
            "speed-preset": "veryfast",
            "key-int-max": str(1 << 30),
            "bframes": "0",
            "vbv-buf-capacity": "500",
            "option-string": "scenecut=0:repeat-headers=1",
        },
        hardware=False,
    ),
    GstElement(
        "v4l2h264enc",
        "gstreamer1.0-plugins-good",
        {},
        rate="extra-controls",
        rate_controls="c,video_bitrate={bps},repeat_sequence_header=1,video_gop_size=65535,h264_i_frame_period=65535",
    ),
    GstElement(
        "vah264enc",
        "gstreamer1.0-plugins-bad",
        {
            "rate-control": "cbr",
            "b-frames": "0",
            "ref-frames": "1",
            "key-int-max": str(LONG_GOP),
            "target-usage": "6",
            "cabac": "false",
            "dct8x8": "false",
        },
        raw="video/x-raw,format=NV12",
        before="videoconvert",
    ),
    GstElement(
        "vaapih264enc",
        "gstreamer1.0-vaapi",
        {
            "rate-control": "cbr",
            "max-bframes": "0",
            "refs": "1",
            "keyframe-period": str(LONG_GOP),
            "cabac": "false",
        },
        raw="video/x-raw,format=NV12",
        before="videoconvert",
    ),
    GstElement(
        "mpph264enc",
        "gstreamer1.0-rockchip, of the board's vendor",
        {
            "rc-mode": "cbr",
            "gop": "65535",
            "profile": "baseline",
            "header-mode": "each-idr",
            "max-pending": "1",
        },
        rate="bps",
        rate_unit_bps=1,
        raw="video/x-raw,format=NV12",
        before="videoconvert",
        profile="",
    ),
    GstElement(
        "nvv4l2h264enc",
        "nvidia-l4t-gstreamer, of Jetson Linux",
        {
            "control-rate": "1",
            "preset-level": "1",
            "maxperf-enable": "true",
            "insert-sps-pps": "true",
            "idrinterval": "65535",
            "iframeinterval": "65535",
            "profile": "0",
        },
        rate_unit_bps=1,
        raw="video/x-raw(memory:NVMM),format=I420",
        before="nvvidconv",
        profile="",
    ),
)
ELEMENTS = {element.name: element for element in _ALL}
"""By name. Only x264enc has been run; the others are untested."""
