# SPDX-License-Identifier: GPL-3.0-or-later
"""Between the microphone's device and its slot: the thread on which sound is processed."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from callagent.devices.threads import label_thread
from callagent.media.audio_processing.budget import Budget
from callagent.media.audio_processing.choice import lighter, make_chain, missing_here, without_libraries
from callagent.media.audio_processing.contract import (
    Effort,
    ProcessingError,
    ProcessingSettings,
    SoundProcessor,
)
from callagent.media.audio_processing.far_end import TARGET_S, FarEnd
from callagent.media.sound import RATE_HZ, Samples
from callagent.ports import AudioFrame, AudioOutput, AudioSink, AudioSource, Clock, MonotonicClock
from callagent.ports.sources import delay_of, hears_room

log = logging.getLogger(__name__)

_QUEUE_FRAMES = 10
IDLE_S = 2.0
_DELAY_FRAMES = 50
_USUAL_OUTPUT_DELAY_S = 0.04

Maker = Callable[[ProcessingSettings, Effort], tuple[SoundProcessor, list[str]]]


@dataclass(frozen=True, slots=True)
class _Heard:
    """One stretch of a microphone, where it is to go, and when it came (monotonic seconds)."""

    frame: AudioFrame
    sink: AudioSink
    microphone: AudioSource
    at: float


class SoundProcessing:
    """Echo cancellation and all that for one microphone and the speaker next to it.

    The microphone's thread only queues (ten stretches, the oldest are dropped) and the
    speaker's only copies; the work is done on a thread that lives while sound comes, so that
    an idle machine has neither the thread nor the libraries' state. Every
    life of it begins with a fresh room. A machine that turns out to be too slow does less from then
    on, until other settings come. All methods are callable from any thread.
    """

    def __init__(
        self,
        settings: ProcessingSettings | None = None,
        *,
        make: Maker = make_chain,
        clock: Clock | None = None,
        budget: Budget | None = None,
        idle_s: float = IDLE_S,
    ) -> None:
        self._idle_s = idle_s
        self._budget = budget or Budget()
        self._effort = Effort.NETWORK
        self._settings = settings or ProcessingSettings()
        self._make = make
        self._clock = clock or MonotonicClock()
        self._changed = threading.Condition()
        self._waiting: deque[_Heard] = deque(maxlen=_QUEUE_FRAMES)
        self._thread: threading.Thread | None = None
        self._far_end = FarEnd()
        self._speaker: AudioOutput | None = None
        self._speaker_changed = False
        self._settings_changed = False
        self._processor: SoundProcessor | None = None
        self._problems: list[str] | None = None
        self._told: list[str] = []
        self.dropped = 0
        """Stretches thrown away because the processing was behind."""

    @property
    def settings(self) -> ProcessingSettings:
        return self._settings

    @property
    def problems(self) -> list[str]:
        """What is wanted and not to be had, one sentence each."""
        return missing_here(self._settings) if self._problems is None else list(self._problems)

    def change(self, settings: ProcessingSettings) -> None:
        """Work by these from the next stretch on; what was learned of the room is lost."""
        with self._changed:
            if settings != self._settings:
                self._settings, self._settings_changed, self._problems = settings, True, None
                self._effort = Effort.NETWORK

    def figures(self) -> dict[str, float | int | str]:
        """What works now, its delay and its ERLE; empty while no microphone is open."""
        processor = self._processor
        if processor is None:
            return {}
        found = processor.figures()
        if self._far_end.drift_ppm:
            found["clock_drift_ppm"] = round(self._far_end.drift_ppm)
        return found | ({"processing_dropped": self.dropped} if self.dropped else {})

    def in_front_of(self, microphone: AudioSource, sink: AudioSink) -> AudioSink:
        """What to open the microphone with, so that its sound reaches the sink processed.

        The sink itself for one made of software: a test tone is no noise, and not the far end's echo.
        """
        if not hears_room(microphone):
            return sink
        return _Inlet(self, microphone, sink)

    def played(self, samples: memoryview, speaker: AudioOutput) -> None:
        """480 samples go to the speaker now. Called on its thread."""
        if self._thread is None:
            return
        if speaker is not self._speaker:
            self._speaker, self._speaker_changed = speaker, True
        self._far_end.put(samples, self._clock.now())

    def wait_idle(self, timeout_s: float | None = None) -> bool:
        """Block until the thread has ended, which it does when no sound came for `idle_s`."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
        return thread is None or not thread.is_alive()

    def _hear(self, heard: _Heard) -> None:
        """On the microphone's thread."""
        with self._changed:
            self.dropped += len(self._waiting) == _QUEUE_FRAMES
            self._waiting.append(heard)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="sound-processing", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _next(self) -> _Heard | None:
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._waiting), self._idle_s):
                self._thread = self._processor = None
                return None
            return self._waiting.popleft()

    def _run(self) -> None:
        label_thread()
        microphone: AudioSource | None = None
        frames = 0
        while (heard := self._next()) is not None:
            processor = self._current()
            other = heard.microphone is not microphone or self._speaker_changed
            if other:
                self._speaker_changed, microphone, frames = False, heard.microphone, 0
                self._far_end.restart()
            if frames % _DELAY_FRAMES == 0:
                processor.set_delay_ms(self._expected_delay_ms(heard))
            frames += 1
            samples = self._process(processor, heard, fresh=other)
            captured = heard.frame.capture_time - processor.latency_s
            heard.sink.put(AudioFrame(samples.data, RATE_HZ, 1, captured))
            if self._budget.exceeded():
                self._do_less()

    def _do_less(self) -> None:
        with self._changed:
            effort = lighter(self._settings, self._effort)
            if effort is not None and not self._settings_changed:
                self._effort, self._settings_changed = effort, True

    def _current(self) -> SoundProcessor:
        """The processor for the settings of now; made here, since loading it takes a while."""
        processor = self._processor
        if processor is None or self._settings_changed:
            self._settings_changed = False
            processor, problems = self._make(self._settings, self._effort)
            self._tell(problems)
            log.info("sound processing: %s", processor.name)
            self._processor = processor
            self._budget.restart()
        return processor

    def _process(self, processor: SoundProcessor, heard: _Heard, *, fresh: bool) -> Samples:
        samples = np.frombuffer(heard.frame.samples, np.int16)
        try:
            if fresh:
                processor.reset()
            processor.far_end(self._far_end.take(heard.at))
            return processor.capture(samples)
        except ProcessingError as error:
            self._processor = without_libraries(self._settings)
            self._tell([f"{error}; until the next call: {self._processor.name}"])
            return samples

    def _tell(self, problems: list[str]) -> None:
        self._problems = problems
        for problem in problems:
            if problem not in self._told:
                self._told.append(problem)
                log.warning("%s", problem)

    def _expected_delay_ms(self, heard: _Heard) -> int:
        """From the stretch of the far end taken with this one to its echo, by what the devices tell."""
        output = None if self._speaker is None else delay_of(self._speaker)
        output_s = _USUAL_OUTPUT_DELAY_S if output is None else output
        return max(0, round(1000 * (heard.at - heard.frame.capture_time - TARGET_S + output_s)))


class _Inlet:
    """Takes one microphone's sound; it is processed in the order it comes."""

    def __init__(self, processing: SoundProcessing, microphone: AudioSource, sink: AudioSink) -> None:
        self._processing = processing
        self._microphone = microphone
        self._sink = sink

    def put(self, frame: AudioFrame) -> None:
        if self._processing.settings.nothing:
            self._sink.put(frame)
            return
        now = self._processing._clock.now()
        self._processing._hear(_Heard(frame, self._sink, self._microphone, now))
