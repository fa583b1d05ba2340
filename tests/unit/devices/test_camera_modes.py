# SPDX-License-Identifier: GPL-3.0-or-later
"""Which mode a camera is asked for, what USB has to do with it, and what is said of that."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callagent.devices.camera_modes import DECODED, CameraMode, Need, choose_mode, explain
from callagent.devices.usb_bandwidth import bytes_per_second, port_carries, port_speed_mbps
from callagent.ports import PixelFormat, VideoMode

MJPEG, YUYV, NV12 = PixelFormat.MJPEG, PixelFormat.YUYV, PixelFormat.NV12
HIGH_SPEED = port_carries(480)
WEBCAM = [
    CameraMode(YUYV, 320, 240, 30),
    CameraMode(YUYV, 640, 480, 30),
    CameraMode(YUYV, 1280, 720, 10),
    CameraMode(MJPEG, 640, 480, 30),
    CameraMode(MJPEG, 1280, 720, 30),
    CameraMode(MJPEG, 1920, 1080, 30),
]


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (VideoMode(640, 480, 15), CameraMode(YUYV, 640, 480, 30)),
        (VideoMode(1280, 720, 30), CameraMode(MJPEG, 1280, 720, 30)),
        (VideoMode(960, 540, 15), CameraMode(MJPEG, 1280, 720, 30)),
        (VideoMode(640, 360, 30), CameraMode(YUYV, 640, 480, 30)),
        (VideoMode(160, 120, 30), CameraMode(YUYV, 320, 240, 30)),
        (VideoMode(3840, 2160, 30), CameraMode(MJPEG, 1920, 1080, 30)),
        (VideoMode(1280, 720, 60), CameraMode(MJPEG, 1280, 720, 30)),
    ],
)
def test_the_nearest_mode(wish: VideoMode, expected: CameraMode) -> None:
    assert choose_mode(WEBCAM, Need(wish)) == expected


def test_mode_corner_cases() -> None:
    assert choose_mode([], Need(VideoMode())) is None
    slow_only = [CameraMode(YUYV, 640, 480, 5), CameraMode(YUYV, 1280, 720, 2)]
    assert choose_mode(slow_only, Need(VideoMode(1280, 720, 30))) == slow_only[0]
    silent = [CameraMode(NV12, 640, 480, 0)]
    assert choose_mode(silent, Need(VideoMode())) == silent[0]
    ntsc = [CameraMode(YUYV, 640, 480, 29.97), CameraMode(YUYV, 1920, 1080, 60)]
    assert choose_mode(ntsc, Need(VideoMode(640, 480, 30))) == ntsc[0]


def test_usb_decides_between_raw_and_jpeg_and_says_so() -> None:
    assert HIGH_SPEED is not None
    wish = VideoMode(640, 480, 15)
    assert choose_mode(WEBCAM, Need(wish, carries=HIGH_SPEED)) == CameraMode(YUYV, 640, 480, 30)
    # 18 of 24 MB/s would leave a second camera without room.
    fast = Need(VideoMode(640, 480, 30), carries=HIGH_SPEED)
    assert choose_mode(WEBCAM, fast) == CameraMode(MJPEG, 640, 480, 30)
    large = Need(VideoMode(1280, 720, 30), carries=HIGH_SPEED)
    offered = [*WEBCAM, CameraMode(YUYV, 1280, 720, 30)]
    chosen = choose_mode(offered, large)
    assert chosen == CameraMode(MJPEG, 1280, 720, 30)
    assert explain(chosen, offered[3:], large) == (
        "YUYV 1280x720@30 needs 55 MB/s, the USB port carries 24 MB/s: MJPEG is used"
    )
    superspeed = Need(VideoMode(1280, 720, 30), carries=port_carries(5000))
    assert choose_mode(offered, superspeed) == CameraMode(YUYV, 1280, 720, 30)
    raw_only = [CameraMode(YUYV, 1280, 720, 30), CameraMode(YUYV, 320, 240, 30)]
    assert choose_mode(raw_only, large) == raw_only[1], "what does not fit cannot be started"


def test_formats_of_the_configuration_come_first() -> None:
    wish = VideoMode(640, 480, 15)
    assert choose_mode(WEBCAM, Need(wish, formats=(MJPEG,))) == CameraMode(MJPEG, 640, 480, 30)
    need = Need(wish, formats=(NV12, YUYV))
    chosen = choose_mode(WEBCAM, need)
    assert chosen == CameraMode(YUYV, 640, 480, 30)
    assert explain(chosen, WEBCAM, need) == "The camera has no NV12: YUYV 640x480 is used"


def test_h264_waits_for_somebody_who_takes_it() -> None:
    h264 = CameraMode(PixelFormat.H264, 640, 480, 30)
    wish = VideoMode(640, 480, 30)
    assert choose_mode([h264], Need(wish)) is None
    accepts = DECODED | {PixelFormat.H264}
    assert choose_mode([*WEBCAM[3:], h264], Need(wish, accepts=accepts, carries=HIGH_SPEED)) == h264


def test_h264_is_preferred_where_it_can_go_out_as_it_is() -> None:
    h264 = CameraMode(PixelFormat.H264, 640, 480, 30)
    wish = VideoMode(640, 480, 30)
    assert choose_mode([*WEBCAM, h264], Need(wish, coded=True)) == h264
    for other in (VideoMode(1280, 720, 30), VideoMode(320, 240, 30), VideoMode(640, 480, 60)):
        chosen = choose_mode([*WEBCAM, h264], Need(other, coded=True))
        assert chosen is not None
        assert chosen.format is not PixelFormat.H264, "it would have to be decoded"
    cheap = choose_mode([*WEBCAM, h264], Need(wish, coded=True, economy=1))
    assert cheap is not None
    assert cheap.format is not PixelFormat.H264, "it has failed in its best mode"
    assert choose_mode([*WEBCAM, h264], Need(wish, formats=(MJPEG,), coded=True)) == CameraMode(
        MJPEG, 640, 480, 30
    )
    large = CameraMode(PixelFormat.H264, 1280, 720, 30)
    assert choose_mode([*WEBCAM, large], Need(wish, formats=(PixelFormat.H264,))) == large, "named: decoded"


MODES = st.lists(
    st.builds(
        CameraMode,
        st.sampled_from(list(PixelFormat)),
        st.sampled_from([160, 320, 640, 1280, 1920]),
        st.sampled_from([120, 240, 480, 720, 1080]),
        st.sampled_from([0.0, 5.0, 10.0, 15.0, 29.97, 30.0, 60.0]),
    ),
    max_size=12,
)


@given(
    MODES,
    st.builds(
        VideoMode, st.sampled_from([320, 640, 1280]), st.sampled_from([240, 480, 720]), st.integers(1, 60)
    ),
    st.sampled_from([None, 1e6, 24.5e6, 390e6]),
)
def test_what_is_chosen_exists_and_economy_never_costs_more(
    offered: list[CameraMode], wish: VideoMode, carries: float | None
) -> None:
    best, cheap = (choose_mode(offered, Need(wish, economy=economy, carries=carries)) for economy in (0, 1))
    usable = [mode for mode in offered if mode.format in DECODED]
    assert (best is None) == (cheap is None) == (not usable)
    if best is None or cheap is None:
        return
    assert best in usable
    assert cheap in usable
    assert isinstance(explain(best, offered, Need(wish, carries=carries)), str)
    # Of cameras that can be fast enough in either size.
    if all(mode.max_fps >= 30 for mode in usable) and wish.fps <= 15 and carries is None:
        assert cheap.width * cheap.height <= best.width * best.height


def test_how_much_a_mode_takes_and_a_port_carries(tmp_path: Path) -> None:
    assert bytes_per_second(YUYV, 640, 480, 30) == 18_432_000
    assert port_carries(None) is None
    node = tmp_path / "class/video4linux/video0"
    interface = tmp_path / "devices/usb1/1-2/1-2:1.0"
    interface.mkdir(parents=True)
    node.mkdir(parents=True)
    (interface.parent / "speed").write_text("480\n")
    (node / "device").symlink_to(interface)
    assert port_speed_mbps("/dev/video0", tmp_path) == 480
    assert port_speed_mbps("/dev/video1", tmp_path) is None
