# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to RNNoise's C library, on a library of the same interface that halves what it hears."""

import gc
import subprocess
from pathlib import Path

import numpy as np
import pytest

from callagent.media.audio_processing import NoiseSuppression, ProcessingSettings, rnnoise
from callagent.media.audio_processing.choice import make_chain, missing_here
from callagent.media.audio_processing.contract import ProcessingError
from callagent.media.audio_processing.rnnoise import RnNoise

SOURCE = """
static int states;
void *rnnoise_create(void *model) { states++; return model ? 0 : &states; }
void rnnoise_destroy(void *state) { states--; }
int living(void) { return states; }
int rnnoise_get_frame_size(void) { return FRAME; }
float rnnoise_process_frame(void *state, float *out, const float *in)
{
    for (int n = 0; n < FRAME; n++) out[n] = in[n] / 2;
    return state == &states ? 1 : 0;
}
"""


def build(folder: Path, frame: int) -> str:
    library = folder / f"{frame}.so"
    command = ["cc", "-shared", "-fPIC", f"-DFRAME={frame}", "-x", "c", "-", "-o", str(library)]
    subprocess.run(command, input=SOURCE, text=True, check=True, timeout=60)
    return str(library)


def test_it_is_called_as_its_header_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """rnnoise.h of RNNoise 0.2: the model may be none, samples are floats at the scale of 16 bit."""
    path = build(tmp_path, 480)
    monkeypatch.setattr(rnnoise, "_places", lambda: ["/nowhere/librnnoise.so", path])
    denoiser = RnNoise()
    sound = np.arange(480, dtype=np.float32)
    assert np.array_equal(denoiser.process(sound), sound / 2)
    assert sound[-1] == 479
    assert np.array_equal(denoiser.process(np.arange(960, dtype=np.float32)[::2]), sound)
    library = denoiser._library
    assert library.living() == 1
    del denoiser
    gc.collect()
    assert library.living() == 0


def test_a_chain_with_it_leaves_noise_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = build(tmp_path, 480)
    monkeypatch.setattr(rnnoise, "_places", lambda: [path])
    settings = ProcessingSettings(noise_suppression=NoiseSuppression.STRONG)
    assert missing_here(settings) == []
    chain, problems = make_chain(settings)
    assert problems == []
    assert chain.latency_s == pytest.approx((430 + 960) / 48_000)
    assert chain.capture(np.zeros(480, np.int16)).shape == (480,)


def test_a_library_of_another_frame_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = build(tmp_path, 960)
    monkeypatch.setattr(rnnoise, "_places", lambda: [path])
    with pytest.raises(ProcessingError, match="not installed"):
        RnNoise()
