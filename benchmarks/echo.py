# SPDX-License-Identifier: GPL-3.0-or-later
"""Echo cancellation in synthetic rooms: what is left of the echo, what is lost of the near end.

Simulated time, one set of settings for everything: the agent's defaults, but without gain control, which
would add its gain to some figures; its own rows tell of the echo and the near end with it. The
peer is WebRTC's audio processing module alone, fed the same sound.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from benchmarks.echo_room import Recording, Scene, near_attenuation_db, play
from benchmarks.report import Figure, Report
from callagent.media.audio_processing import ProcessingSettings
from callagent.media.audio_processing.chain import ProcessingChain
from callagent.media.audio_processing.choice import make_chain
from callagent.media.audio_processing.far_end import FarEnd
from callagent.media.audio_processing.webrtc import WebRtcApm

SETTINGS = ProcessingSettings(gain_control=False)
ROOMS_S = (0.04, 0.1, 0.2)
LEARNED_S = 2.0
NEAR_FROM_S = 5.0
JUMP_AT_S = 6.0
RECOVERED_S = 3.0
ERLE_DB = 40.0
AGAIN_DB = 25.0
NEAR_LOSS_DB = 6.0
_PEER = "APM alone"
_FRAMES_PER_S = 100

Make = Callable[[], ProcessingChain]


def ours() -> ProcessingChain:
    """As the agent makes it, without gain control. Raises RuntimeError where there is no canceller."""
    return _chain(SETTINGS)


def _chain(settings: ProcessingSettings) -> ProcessingChain:
    chain, problems = make_chain(settings)
    if problems:
        raise RuntimeError(problems[0])
    return chain


def with_gain_control() -> ProcessingChain:
    """The agent's defaults, all of them."""
    return _chain(ProcessingSettings())


def apm_alone() -> ProcessingChain:
    apm = WebRtcApm(echo=True, noise=True, gain=SETTINGS.gain_control, high_pass=SETTINGS.high_pass)
    return ProcessingChain(apm=apm)


def run(short: bool) -> Report:
    """The worst of three voices in three rooms; short: of one voice in one room."""
    seeds, rooms = ((1,), ROOMS_S[-1:]) if short else ((1, 2, 3), ROOMS_S)
    figures = []
    for room_s in rooms:
        scenes = [Scene(room_s, seed=seed) for seed in seeds]
        figures += _room(f"room {1000 * room_s:.0f} ms", scenes)
    figures.append(_cost(Scene(rooms[-1])))
    return Report("audio", figures)


def _room(name: str, scenes: list[Scene]) -> list[Figure]:
    def worst(
        make: Make, look: Callable[[Recording], float], best: Callable[..., float], **changes: object
    ) -> float:
        return best(look(_play(replace(scene, **changes), make)) for scene in scenes)  # type: ignore[arg-type]

    def erle(
        what: str, target: float | None, look: Callable[[Recording], float], **changes: object
    ) -> Figure:
        peer = worst(apm_alone, look, min, **changes)
        return Figure(
            f"{name}, {what}",
            "dB",
            worst(ours, look, min, **changes),
            {_PEER: peer},
            target,
            more_is_better=True,
        )

    def after(start_s: float) -> Callable[[Recording], float]:
        return lambda recording: recording.erle_db(start_s, len(recording.sent) / 48_000 - 0.1)

    def until(recording: Recording) -> float:
        return recording.seconds_until(AGAIN_DB, JUMP_AT_S)

    jump = {"jump_at_s": JUMP_AT_S}
    losses = [_near_losses(scenes, make) for make in (ours, apm_alone, with_gain_control)]
    return [
        erle("ERLE after 2 s", ERLE_DB, after(LEARNED_S)),
        Figure(
            f"{name}, ERLE after 2 s, gain control on",
            "dB",
            worst(with_gain_control, after(LEARNED_S), min),
            target=ERLE_DB,
            more_is_better=True,
        ),
        erle("ERLE after 2 s, held vowels", None, after(LEARNED_S), vowels=True),
        *(
            Figure(f"{name}, {what}", "dB", losses[0][n], {_PEER: losses[1][n]}, NEAR_LOSS_DB)
            for n, what in enumerate(("near end lost in double talk", "the same, median of bands"))
        ),
        Figure(
            f"{name}, near end lost in double talk, gain control on", "dB", losses[2][0], {}, NEAR_LOSS_DB
        ),
        *(
            erle(
                f"worst second, clocks {ppm:+d} ppm",
                AGAIN_DB,
                lambda recording: recording.lasting_erle_db(RECOVERED_S),
                drift_ppm=ppm,
                seconds=20.0,
            )
            for ppm in (100, -100)
        ),
        erle("ERLE from 3 s after a jump of 60 ms", AGAIN_DB, after(JUMP_AT_S + RECOVERED_S), **jump),
        Figure(
            f"{name}, 25 dB again after the jump",
            "s",
            worst(ours, until, max, **jump),
            {_PEER: worst(apm_alone, until, max, **jump)},
            RECOVERED_S,
        ),
    ]


def _play(scene: Scene, make: Make) -> Recording:
    return play(scene, make(), FarEnd())


def _near_losses(scenes: list[Scene], make: Make) -> tuple[float, float]:
    """The worst over all voices: over all, and the median of bands."""
    losses = []
    for scene in scenes:
        double = replace(scene, near_from_s=NEAR_FROM_S)
        alone = replace(double, far_talks=False)
        losses.append(near_attenuation_db(_play(double, make), _play(alone, make), NEAR_FROM_S + 0.5))
    return max(loss[0] for loss in losses), max(loss[1] for loss in losses)


def _cost(scene: Scene) -> Figure:
    """CPU of the processing alone, far end included."""

    def per_frame_ms(make: Make) -> float:
        chain, spent = make(), 0.0
        inner = chain.capture

        def capture(samples: object) -> object:
            nonlocal spent
            began = time.thread_time()
            out = inner(samples)  # type: ignore[arg-type]
            spent += time.thread_time() - began
            return out

        chain.capture = capture  # type: ignore[method-assign,assignment]
        play(scene, chain, FarEnd())
        return 1000 * spent / (scene.seconds * _FRAMES_PER_S)

    return Figure("CPU per 10 ms", "ms", per_frame_ms(ours), {_PEER: per_frame_ms(apm_alone)})
