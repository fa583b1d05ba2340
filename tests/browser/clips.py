# SPDX-License-Identifier: GPL-3.0-or-later
"""What a test's Chromium sees and hears: a clip that carries the frame code, and a tone.

The strip is the one of `callagent.devices.virtual.framecode`: 2 rows of 32 cells over the top
eighth of the picture, 64 bits, most significant first.
"""

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt

MARKER = 0xB2
COLUMNS, ROWS = 32, 2
BLACK, WHITE, GREY = 16, 235, 128
SAMPLE_RATE_HZ = 48000


def crc8(data: bytes) -> int:
    """CRC-8, polynomial 0x07, initial value 0."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = ((crc << 1) ^ 0x07) & 0xFF if crc & 0x80 else crc << 1
    return crc


def code_bytes(ident: int, counter: int, clock_ms: int) -> bytes:
    """The eight bytes of one frame's code."""
    body = (
        bytes([MARKER, ident]) + (counter % 65536).to_bytes(2, "big") + (clock_ms % 2**24).to_bytes(3, "big")
    )
    return body + bytes([crc8(body)])


def draw_code(luma: npt.NDArray[np.uint8], code: bytes) -> None:
    """Draw the strip into a luma plane (height x width)."""
    height, width = luma.shape
    bits = np.unpackbits(np.frombuffer(code, np.uint8)).reshape(ROWS, COLUMNS)
    cells = np.where(bits, WHITE, BLACK).astype(np.uint8)
    luma[: height // 8] = np.repeat(np.repeat(cells, height // 16, axis=0), width // COLUMNS, axis=1)


def write_clip(
    path: Path, *, ident: int, width: int = 640, height: int = 480, fps: int = 15, seconds: float = 20
) -> Path:
    """A YUV4MPEG2 file (4:2:0) whose frames count from 0; the background drifts, so every frame differs."""
    frames = int(fps * seconds)
    x, y = np.meshgrid(np.arange(2 * width), np.arange(height))
    scenery = (126 + 50 * np.sin(x * 2 * np.pi / width) + 34 * np.sin(y * 2 * np.pi / height)).astype(
        np.uint8
    )
    slope = np.broadcast_to(np.linspace(-1, 1, width // 2), (height // 2, width // 2))
    chroma = np.stack([GREY + 14 - 10 * slope, GREY - 22 + 26 * slope]).astype(np.uint8)
    chroma[:, : height // 16] = GREY
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{fps}:1 Ip A1:1 C420jpeg\n".encode())
        for index in range(frames):
            drift = (index * 4) % width
            luma = scenery[:, drift : drift + width].copy()
            draw_code(luma, code_bytes(ident, index, index * 1000 // fps))
            file.write(b"FRAME\n" + luma.tobytes() + chroma.tobytes())
    return path


def write_small_clip(folder: Path, ident: int) -> Path:
    """480x272: a machine has to encode and decode it several times over."""
    return write_clip(folder / f"small-{ident}.y4m", ident=ident, width=480, height=272)


def write_tone(path: Path, hz: float, *, level_dbfs: float = -18.0, seconds: float = 10) -> Path:
    """A mono WAV file, 48 kHz, 16 bit. Whole periods, so that looping it makes no click."""
    seconds = round(seconds * hz) / hz
    time_s = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    samples = np.sin(2 * np.pi * hz * time_s) * 32767 * 10 ** (level_dbfs / 20)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(samples.astype("<i2").tobytes())
    return path
