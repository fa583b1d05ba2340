# SPDX-License-Identifier: GPL-3.0-or-later
"""Encoders of the real kernel: the virtual V4L2 encoder (vh264) in a call, and a camera that encodes itself.

vh264 is the kernel's vicodec with an encoder of H.264 in place of FWHT (image/kernel); FFmpeg's
h264_v4l2m2m finds it as it finds a board's.
"""

import re
from collections.abc import AsyncIterator, Iterator

import pytest

from callagent.protocol import control as api
from tests.lab.kernel_events import KernelEvents
from tests.lab.kiosk import GuestKiosk
from tests.lab.limits import Limits
from tests.lab.machine import Machine
from tests.lab.scene import ANSWERING, VIRTUAL, Scene
from tests.lab.usbip.camera import Camera
from tests.programs import Kiosk, Service, running

DRIVER = "/sys/bus/platform/drivers/vh264"
KIOSKS_CAMERA, USB_CAMERA = 1, 7
"""In their pictures: the virtual one of the kiosk, the one on USB."""
PROBE_S = 90.0
"""Python and FFmpeg are started once more, in software emulation."""

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
async def scene(kiosk: GuestKiosk, service: Service) -> AsyncIterator[Scene]:
    """A caller that takes H.264."""
    small = {"width": 320, "height": 240, "fps": 10}
    video = small | {"codecs": ["H264"], "encoders": ["libx264", "libvpx"]}
    bert = Kiosk("bert", service.ticket("bert"), service.http_url, service.folder, camera=small, video=video)
    async with running(bert):
        yield Scene(kiosk, bert)


@pytest.fixture
def encoder(installed: Machine) -> Iterator[Machine]:
    """The virtual encoder is there; what was known of encoders is not."""
    installed.run("modprobe vh264 && udevadm settle && rm -rf /var/cache/callagent/encoders.json")
    yield installed
    installed.run("rmmod vh264; udevadm settle", check=False)


@pytest.fixture
def camera() -> Iterator[Camera]:
    camera = Camera(ident=USB_CAMERA)
    yield camera
    camera.close()


async def sent_by(scene: Scene, encoder: str, deadline_s: float = 40.0) -> api.StatusData:
    """Wait until the kiosk's pictures come from this encoder."""

    def is_it(status: api.StatusData) -> bool:
        return bool(status.media.get("sent_video", {}).get("H264 h", {}).get("encoder") == encoder)

    return await scene.kiosk.until(is_it, f"not sent by {encoder}", deadline_s)


async def test_the_kernels_encoder_is_chosen_by_its_probe_and_replaced_when_it_is_gone(
    encoder: Machine, scene: Scene, kernel_events: KernelEvents, limits: Limits
) -> None:
    await scene.kiosk.start(
        camera=VIRTUAL,
        microphone=VIRTUAL,
        speaker=VIRTUAL,
        answer=ANSWERING,
        video={"codecs": ["H264"], "encoders": ["v4l2m2m", "libx264"]},
    )
    await scene.call()
    status = await sent_by(scene, "h264_v4l2m2m", PROBE_S)
    assert status.media["sent_video"]["H264 h"]["hardware"] is True
    await scene.sees(KIOSKS_CAMERA)
    kept = encoder.run("cat /var/cache/callagent/encoders.json").out
    assert '"ok": true' in kept

    encoder.run(f"for each in {DRIVER}/vh264*; do basename $each >{DRIVER}/unbind; done; udevadm settle")
    status = await sent_by(scene, "libx264")
    await scene.sees(KIOSKS_CAMERA)
    assert "h264_v4l2m2m" in status.media["sent_video"]["failures"]
    assert status.state == "connected"
    removed = kernel_events.last("remove", r"video4linux/video\d+$")
    chosen = scene.kiosk.logged("libx264 encodes")
    assert chosen, scene.kiosk.journal()
    limits.hold("encoder gone: the next one", chosen[-1] - removed, 1.0)


async def test_without_the_encoder_software_is_used_and_says_why(installed: Machine, scene: Scene) -> None:
    await scene.kiosk.start(
        camera=VIRTUAL,
        microphone=VIRTUAL,
        speaker=VIRTUAL,
        answer=ANSWERING,
        video={"codecs": ["H264"], "encoders": ["v4l2m2m", "libx264"]},
    )
    await scene.call()
    status = await sent_by(scene, "libx264")
    assert "h264_v4l2m2m" in status.media["sent_video"]["H264 h"]["refused"]
    await scene.sees(KIOSKS_CAMERA)


async def test_the_cameras_own_h264_reaches_the_other_side(
    installed: Machine, scene: Scene, camera: Camera
) -> None:
    await scene.kiosk.start(
        camera={"fps": 10},
        microphone=VIRTUAL,
        speaker=VIRTUAL,
        answer=ANSWERING,
        video={"codecs": ["H264"], "encoders": ["camera", "libx264"], "bitrate_bps": 2_000_000, "fps": 10},
    )
    camera.plug(installed, 0)
    await scene.camera("C1")
    await scene.call()
    status = await sent_by(scene, "camera", 60.0)
    assert status.slots["camera"].mode == "320x240@10"
    assert camera.mode.fourcc == "H264"
    await scene.sees(USB_CAMERA)
    await scene.pictures(20)
    await sent_by(scene, "camera", 60.0)

    camera.unplug()
    await sent_by(scene, "libx264")
    await scene.pictures()
    camera.plug(installed, 2)
    await sent_by(scene, "camera", 60.0)
    await scene.sees(USB_CAMERA)


async def test_doctor_tries_every_encoder(encoder: Machine, scene: Scene) -> None:
    del scene
    shown = encoder.run("callagent doctor encoders", check=False, timeout_s=240).out
    assert re.search(r"h264_v4l2m2m +640x480: +\d+ pictures/s", shown), shown
    assert re.search(r"libx264 +640x480: +\d+ pictures/s", shown), shown
