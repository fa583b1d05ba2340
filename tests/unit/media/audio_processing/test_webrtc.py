# SPDX-License-Identifier: GPL-3.0-or-later
"""WebRTC's module as the wheel gives it: fails loudly when an upgrade changes it."""

import os
import subprocess
import sys
from itertools import product

import numpy as np
import pytest

from benchmarks.echo_room import voice
from callagent.media.audio_processing import webrtc
from callagent.media.audio_processing.contract import ProcessingError
from callagent.media.audio_processing.webrtc import WebRtcApm


@pytest.mark.parametrize(("echo", "noise", "gain", "high_pass"), list(product((True, False), repeat=4)))
def test_its_delay_is_as_measured(*, echo: bool, noise: bool, gain: bool, high_pass: bool) -> None:
    apm = WebRtcApm(echo=echo, noise=noise, gain=gain, high_pass=high_pass)
    sound = (voice(3, 1) * 32_768).astype(np.float32).reshape(-1, 480)
    out = []
    for stretch in sound:
        apm.far_end(np.zeros(480, np.float32))
        out.append(apm.process(stretch, 40))
    whole = sound.ravel()
    size = 2 * len(whole)
    common = np.fft.irfft(np.fft.rfft(np.concatenate(out), size) * np.fft.rfft(whole, size).conj())
    assert int(np.argmax(common[:4800])) == pytest.approx(apm.latency_s * 48_000, abs=2)


def test_a_wrong_length_is_a_typed_error() -> None:
    apm = WebRtcApm(echo=True, noise=False, gain=False, high_pass=False)
    with pytest.raises((ProcessingError, ValueError)):
        apm.process(np.zeros(100, np.float32), 0)


def test_a_missing_package_is_a_typed_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert webrtc.installed()
    monkeypatch.setattr(webrtc, "_PACKAGE", "no_such_package.rtc")
    assert not webrtc.installed()
    with pytest.raises(ProcessingError, match="no_such_package"):
        WebRtcApm(echo=True, noise=True, gain=True, high_pass=True)


def test_nothing_is_loaded_before_it_is_wanted() -> None:
    """An idle agent has neither the library nor its threads."""
    program = (
        "import sys, threading; from callagent.media.audio_processing import SoundProcessing;"
        "p = SoundProcessing(); p.problems; p.figures();"
        "assert threading.active_count() == 1;"
        "sys.exit(any(m.startswith('livekit.rtc') for m in sys.modules))"
    )
    folder = os.path.join(os.path.dirname(webrtc.__file__), *3 * [os.pardir])
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
