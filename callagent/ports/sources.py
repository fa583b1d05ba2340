# SPDX-License-Identifier: Apache-2.0
"""Where frames come from: a device, a virtual device, or a slot in front of either."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from callagent.ports.sinks import AudioSink, FrameSink


class SourceState(StrEnum):
    """What a source (or a slot) gives at this moment. `reason` on the source says why."""

    OFF = "off"
    """Closed: not wanted, or switched off by its owner."""
    STARTING = "starting"
    """Being opened; no frame yet."""
    LIVE = "live"
    """Frames are coming."""
    ABSENT = "absent"
    """No such device is plugged in."""
    FAILED = "failed"
    """The device is there but cannot be used: occupied, not authorised, broken."""


class SourceError(Exception):
    """A device could not be opened or stopped giving frames.

    `code` is the number users see (protocol.errors.ErrorCode), kept as an int here
    because the ports know no protocol.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class VideoMode:
    """A wish for a picture: the source gives the nearest it can."""

    width: int = 640
    height: int = 480
    fps: int = 15


class VideoSource(Protocol):
    """A camera. `open` and `close` block and are called from a worker thread, never on the loop.

    After `open` the source puts frames into the sink from its own thread until
    `close`. When the device dies the source calls nothing more and `state`
    becomes FAILED or ABSENT; those who asked by `when_ended` are told.
    """

    @property
    def name(self) -> str:
        """The device's stable id, as in the device list."""
        ...

    @property
    def state(self) -> SourceState: ...

    @property
    def reason(self) -> str:
        """One sentence for a person when the state is ABSENT or FAILED, else empty."""
        ...

    def open(self, mode: VideoMode, sink: FrameSink) -> VideoMode:
        """Start capturing; returns the mode really used. Raises SourceError."""
        ...

    def when_ended(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have this called when the source stops giving frames, at once if it gives none now.

        On whichever thread ends it: the callback must not block, nor call the source. Returns the way to
        leave. Thread-safe.
        """
        ...

    def close(self) -> None:
        """Stop capturing and release the device. Idempotent."""
        ...


@runtime_checkable
class CodedSource(Protocol):
    """A camera that may give pictures encoded, as far as one can talk to its encoder."""

    def request_key_frame(self) -> bool:
        """Ask for one; returns at once, from any thread. False when it cannot be asked."""
        ...


class AudioSource(Protocol):
    """A microphone; the same life as a VideoSource. Gives stretches of 10 ms, mono, 48 kHz."""

    @property
    def name(self) -> str: ...

    @property
    def state(self) -> SourceState: ...

    @property
    def reason(self) -> str: ...

    def open(self, sink: AudioSink) -> None:
        """Start capturing. Raises SourceError."""
        ...

    def when_ended(self, callback: Callable[[], None]) -> Callable[[], None]: ...

    def close(self) -> None: ...


class AudioOutput(Protocol):
    """A speaker; pulls sound at its own pace from `pull` on its own thread."""

    @property
    def name(self) -> str: ...

    @property
    def state(self) -> SourceState: ...

    @property
    def reason(self) -> str: ...

    def open(self, pull: "AudioPull") -> None:
        """Start playing what `pull` gives. Raises SourceError."""
        ...

    def when_ended(self, callback: Callable[[], None]) -> Callable[[], None]: ...

    def close(self) -> None: ...


@runtime_checkable
class KnowsDelay(Protocol):
    """An `AudioOutput` that can tell how long its sound takes; not every one can.

    A microphone tells the same by the capture time of its frames.
    """

    @property
    def delay_s(self) -> float | None:
        """From a pull to the speaker's membrane, as far as the card knows; None while it is closed."""
        ...


def delay_of(output: AudioOutput) -> float | None:
    """Seconds from a pull of this speaker until it sounds; None when it cannot tell."""
    return output.delay_s if isinstance(output, KnowsDelay) else None


def hears_room(microphone: AudioSource) -> bool:
    """Whether the speaker's sound and noise can reach it; one made of software says no by `hears_room`."""
    return bool(getattr(microphone, "hears_room", True))


class AudioPull(Protocol):
    """What a speaker plays next; called on the speaker's thread every 10 ms, must not block."""

    def __call__(self) -> memoryview:
        """480 samples, format 'h', mono, 48 kHz; silence when there is nothing to play."""
        ...
