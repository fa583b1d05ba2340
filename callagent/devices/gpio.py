# SPDX-License-Identifier: GPL-3.0-or-later
"""GPIO lines of any board for gpiozero's devices, by libgpiod (kernel: Documentation/userspace-api/gpio).

gpiozero's own factories need a Raspberry Pi; this one needs a chip and a line:

    factory = GpiodFactory()
    button = gpiozero.Button(Line("DOOR_BUTTON"), pull_up=True, pin_factory=factory)
    lamp = gpiozero.LED(Line(17, chip="pinctrl-bcm2711"), pin_factory=factory)
"""

import errno
import logging
import select
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import MethodType
from typing import Any, Literal
from weakref import ReferenceType, WeakMethod, ref

import gpiod
from gpiod.line import Bias, Direction, Edge, Value
from gpiozero import Factory, Pin
from gpiozero.exc import GPIOPinInUse, PinInvalidFunction, PinInvalidPin, PinInvalidPull, PinSetInput

log = logging.getLogger(__name__)

LineBias = Literal["as_is", "pull_up", "pull_down", "disabled"]
_CONSUMER = "callagent"
_BIAS = {
    "as_is": Bias.AS_IS,
    "pull_up": Bias.PULL_UP,
    "pull_down": Bias.PULL_DOWN,
    "disabled": Bias.DISABLED,
}
_PULLS = {"up": Bias.PULL_UP, "down": Bias.PULL_DOWN}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a GPIO chip; what gpiozero calls a pin."""

    line: int | str
    """Its number on the chip, or its name."""
    chip: str | None = None
    """Path, name (`gpiochip0`) or label; None: the chip that has a line of that name, else the first."""
    bias: LineBias = "as_is"
    """For a line that gpiozero is told to leave floating."""

    @property
    def name(self) -> str:
        return f"{self.chip or 'gpio'}:{self.line}"


class GpiodFactory(Factory):  # type: ignore[misc]
    """Makes pins of `Line`s. Edges of all lines are read by one thread, which calls gpiozero's handlers."""

    def __init__(self, dev: Path = Path("/dev")) -> None:
        super().__init__()
        self._dev = dev
        self._pins: dict[Line, GpiodPin] = {}
        self._reserved: dict[str, ReferenceType[object]] = {}
        self._edges = _EdgeReader(self._lost)
        self.on_lost: Callable[[Line], None] | None = None
        """Called from the reader's thread when a line's chip is gone."""

    def close(self) -> None:
        """Release every line. Idempotent."""
        for pin in list(self._pins.values()):
            pin.close()
        self._pins.clear()
        self._edges.close()

    def pin(self, name: Line | int | str) -> "GpiodPin":
        """The pin of a line; the same object for the same line.

        Raises PinInvalidPin, PermissionError with the chip's path when the line may be on it, OSError.
        """
        line = _line(name)
        pin = self._pins.get(line)
        if pin is None or pin.closed:
            pin = self._pins[line] = GpiodPin(self, line, *self._find(line))
        return pin

    def reserve_pins(self, requester: object, *names: Line | int | str) -> None:
        """Raises GPIOPinInUse: two devices here would share one pin. Other programs the kernel keeps out."""
        for line in map(_line, names):
            reserved = self._reserved.get(line.name)
            holder = None if reserved is None else reserved()
            if holder is not None and holder is not requester:
                raise GPIOPinInUse(f"the GPIO line {line.name} is used twice")
            self._reserved[line.name] = ref(requester)

    def release_pins(self, reserver: object, *names: str) -> None:
        """`names`: of the pins' `info`."""
        for name in names:
            reserved = self._reserved.get(name)
            if reserved is not None and reserved() in (None, reserver):
                del self._reserved[name]

    def release_all(self, reserver: object) -> None:
        self.release_pins(reserver, *list(self._reserved))

    def ticks(self) -> float:
        return time.monotonic()

    def ticks_diff(self, later: float, earlier: float) -> float:
        return later - earlier

    @property
    def edges(self) -> "_EdgeReader":
        return self._edges

    def _lost(self, pin: "GpiodPin") -> None:
        log.warning("the GPIO line %s is gone", pin.line.name)
        pin.forget()
        if self.on_lost is not None:
            self.on_lost(pin.line)

    def _find(self, line: Line) -> tuple[str, int]:
        """Path of the chip and the line's offset on it."""
        forbidden: PermissionError | None = None
        for path in sorted(map(str, self._dev.glob("gpiochip*"))):
            try:
                with gpiod.Chip(path) as chip:
                    if line.chip in (None, path, Path(path).name, chip.get_info().label):
                        return path, chip.line_offset_from_id(line.line)
            except PermissionError as error:
                forbidden = PermissionError(error.errno, error.strerror, path)
            except (OSError, ValueError):
                # It has no such line, or went this moment.
                pass
            if line.chip is None and isinstance(line.line, int):
                # A bare number is one of the first chip: on any other it would be some other line.
                break
        if forbidden is not None:
            raise forbidden
        raise PinInvalidPin(f"there is no GPIO line {line.name}")


def _line(name: Line | int | str) -> Line:
    return name if isinstance(name, Line) else Line(name)


class GpiodPin(Pin):  # type: ignore[misc]
    """A `gpiozero.Pin` on a requested line. Its state is the electrical one; gpiozero inverts where asked."""

    def __init__(self, factory: GpiodFactory, line: Line, chip: str, offset: int) -> None:
        super().__init__()
        self._factory = factory
        self.line = line
        self._chip, self._offset = chip, offset
        self._request: gpiod.LineRequest | None = None
        self._function = "input"
        self._pull = "floating"
        self._bounce: float | None = None
        self._edges = "both"
        self._when_changed: WeakMethod[Any] | None = None
        self._lock = threading.RLock()
        self.closed = False

    @property
    def info(self) -> Line:
        """Has the `name` gpiozero shows in its messages."""
        return self.line

    def __repr__(self) -> str:
        return self.line.name

    def close(self) -> None:
        """Release the line; it keeps no output. Idempotent."""
        self.forget()
        self.closed = True

    def forget(self) -> None:
        """Let go of a line that is gone."""
        with self._lock:
            request, self._request = self._request, None
        if request is not None:
            self._factory.edges.remove(request.fd)
            request.release()

    def output_with_state(self, state: bool) -> None:
        with self._lock:
            self.forget()
            settings = gpiod.LineSettings(
                direction=Direction.OUTPUT, output_value=Value.ACTIVE if state else Value.INACTIVE
            )
            self._function = "output"
            self._take(settings)

    def input_with_pull(self, pull: str) -> None:
        self._set_pull(pull)
        self._set_function("input")

    def changed(self, state: bool, moment: float) -> None:
        """An edge, on the reader's thread."""
        handler = None if self._when_changed is None else self._when_changed()
        wanted = {"both": True, "rising": state, "falling": not state, "none": False}[self._edges]
        if handler is not None and wanted:
            handler(moment, state)

    def _take(self, settings: gpiod.LineSettings) -> None:
        with gpiod.Chip(self._chip) as chip:
            try:
                self._request = chip.request_lines({self._offset: settings}, consumer=_CONSUMER)
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                user = chip.get_line_info(self._offset).consumer
                raise OSError(
                    errno.EBUSY, f"the GPIO line {self.line.name} is in use by {user or 'the kernel'}"
                ) from error

    def _input_settings(self) -> gpiod.LineSettings:
        bias = _PULLS.get(self._pull, _BIAS[self.line.bias])
        return gpiod.LineSettings(
            direction=Direction.INPUT,
            edge_detection=Edge.BOTH,
            bias=bias,
            debounce_period=timedelta(seconds=self._bounce or 0.0),
        )

    def _reopen_input(self) -> None:
        with self._lock:
            if self._function == "input" and self._request is not None:
                self._request.reconfigure_lines({self._offset: self._input_settings()})

    def _get_function(self) -> str:
        return self._function

    def _set_function(self, value: str) -> None:
        if value not in ("input", "output"):
            raise PinInvalidFunction(f"{value} is no function of a GPIO line")
        with self._lock:
            if value == "output":
                self.output_with_state(False)
                return
            self.forget()
            self._function = "input"
            self._take(self._input_settings())
            assert self._request is not None
            self._factory.edges.add(self._request, self)

    def _get_state(self) -> bool:
        with self._lock:
            if self._request is None:
                return False
            return bool(self._request.get_value(self._offset) is Value.ACTIVE)

    def _set_state(self, value: bool) -> None:
        if self._function != "output":
            raise PinSetInput(f"{self.line.name} is an input")
        with self._lock:
            if self._request is None:
                return
            self._request.set_value(self._offset, Value.ACTIVE if value else Value.INACTIVE)

    def _get_pull(self) -> str:
        return self._pull

    def _set_pull(self, value: str) -> None:
        if value not in ("floating", *_PULLS):
            raise PinInvalidPull(f"{value} is no bias of a GPIO line")
        self._pull = value
        self._reopen_input()

    def _get_bounce(self) -> float | None:
        return self._bounce

    def _set_bounce(self, value: float | None) -> None:
        self._bounce = value
        self._reopen_input()

    def _get_edges(self) -> str:
        return self._edges

    def _set_edges(self, value: str) -> None:
        self._edges = value

    def _get_when_changed(self) -> Any:
        return None if self._when_changed is None else self._when_changed()

    def _set_when_changed(self, value: Any) -> None:
        # gpiozero's devices hand their own methods and expect not to be kept alive by them.
        self._when_changed = WeakMethod(value) if isinstance(value, MethodType) else None


class _EdgeReader:
    """One thread for the edges of all lines."""

    def __init__(self, on_lost: Callable[[GpiodPin], None]) -> None:
        self._on_lost = on_lost
        self._poll = select.epoll()
        self._requests: dict[int, tuple[gpiod.LineRequest, GpiodPin]] = {}
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def add(self, request: gpiod.LineRequest, pin: GpiodPin) -> None:
        self._requests[request.fd] = (request, pin)
        self._poll.register(request.fd, select.EPOLLIN)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="gpio", daemon=True)
            self._thread.start()

    def remove(self, descriptor: int) -> None:
        if self._requests.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def close(self) -> None:
        self._stopped.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(1.0)
        if not self._poll.closed:
            self._poll.close()

    def _run(self) -> None:
        while not self._stopped.is_set():
            for descriptor, events in self._poll.poll(0.2):
                known = self._requests.get(descriptor)
                if known is not None:
                    self._read(*known, events)

    def _read(self, request: gpiod.LineRequest, pin: GpiodPin, events: int) -> None:
        try:
            # Of a chip that is gone nothing can be read; poll would report it for ever.
            for edge in request.read_edge_events() if events & select.EPOLLIN else ():
                rising = edge.event_type is gpiod.EdgeEvent.Type.RISING_EDGE
                pin.changed(rising, edge.timestamp_ns / 1e9)
            gone = bool(events & (select.EPOLLERR | select.EPOLLHUP))
        except OSError:
            gone = True
        except gpiod.RequestReleasedError:
            # Between the poll and here.
            gone = False
        except Exception:
            log.exception("a handler of the GPIO line %s failed", pin.line.name)
            gone = False
        if gone:
            self._on_lost(pin)
