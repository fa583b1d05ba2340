# SPDX-License-Identifier: GPL-3.0-or-later
"""From shared memory to RGB: every part, turn and mirroring, right to the pixel, and nothing kept."""

import gc
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from callagent.frames.ring import RingReader, RingWriter, SourcePlane
from callagent.protocol.frames import lay_out
from callagent.screen import mapped_frame
from callagent.screen.conversion import Converter
from callagent.screen.placement import Crop

WIDTH, HEIGHT = 322, 182
STRIDES = (336, 176, 161)


@pytest.fixture(scope="module")
def luma() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(16, 236, (HEIGHT, WIDTH), dtype=np.uint8)


@pytest.fixture
def reader(luma: NDArray[np.uint8]) -> Iterator[RingReader]:
    writer = RingWriter(lay_out(HEIGHT, STRIDES)[1], slots=2)
    y = np.zeros((HEIGHT, STRIDES[0]), np.uint8)
    y[:, :WIDTH] = luma
    grey = [np.full((HEIGHT // 2, stride), 128, np.uint8) for stride in STRIDES[1:]]
    planes = [SourcePlane(memoryview(plane.tobytes()), plane.shape[1]) for plane in (y, *grey)]
    # Into the last slot, behind which the mapping ends.
    writer.put(1, planes, WIDTH, HEIGHT, 0)
    reader = RingReader(writer.fd)
    yield reader
    reader.close()
    writer.close()


CROPS = [Crop(0, 0, 322, 182), Crop(10, 6, 300, 170), Crop(320, 180, 2, 2), Crop(2, 0, 64, 182)]


@pytest.mark.parametrize("crop", CROPS, ids=str)
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("mirror", [False, True])
def test_each_part_is_turned_then_mirrored(
    reader: RingReader, luma: NDArray[np.uint8], crop: Crop, rotation: int, mirror: bool
) -> None:
    expected = np.rot90(luma[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width], -(rotation // 90))
    if mirror:
        expected = expected[:, ::-1]
    height, width = expected.shape
    with reader.read() as picture:
        assert picture is not None
        frame = Converter().convert(picture, crop, rotation, mirror, width, height)
    got = frame.to_ndarray()
    assert got.shape == (height, width, 4)
    levels = np.clip((expected.astype(float) - 16) * 255 / 219, 0, 255)
    assert np.abs(got[:, :, :3] - levels[:, :, None]).max() <= 3
    assert (got[:, :, 3] == 255).all()


@pytest.mark.parametrize("size", [(644, 364), (161, 91), (1, 1), (641, 33)], ids=str)
def test_to_any_size(reader: RingReader, luma: NDArray[np.uint8], size: tuple[int, int]) -> None:
    with reader.read() as picture:
        assert picture is not None
        frame = Converter().convert(picture, CROPS[0], 0, False, *size)
    got = frame.to_ndarray()
    assert got.shape == (size[1], size[0], 4)
    if size != (1, 1):
        level = (float(luma.mean()) - 16) * 255 / 219
        assert abs(float(got[:, :, :3].mean()) - level) < 4


def test_nothing_of_a_picture_is_kept(reader: RingReader) -> None:
    converter = Converter()
    for _ in range(3):
        with reader.read() as picture:
            assert picture is not None
            for rotation in (0, 90, 180):
                converter.convert(picture, CROPS[1], rotation, True, 100, 100)
    gc.collect()
    assert not mapped_frame._alive
