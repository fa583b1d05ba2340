# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices that come and go by script: of an agent on them, only udev and the nodes are not the real thing.

    hardware = ScriptedHardware()
    camera = hardware.new_camera(serial="A1", ident=7)
    camera.plug("1")
    ...
    camera.unplug()
    camera.plug("4")

Shipped for integrators' own tests, as gpiozero's MockFactory is.
"""

import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from callagent.devices.accelerometer import Vector
from callagent.devices.displays import Connector, PanelOrientation
from callagent.devices.errors import CAMERA_START_FAIL, NO_CAMERA, NO_MICROPHONE, SPEAKER_FAIL
from callagent.devices.inventory import DeviceInfo
from callagent.devices.settings import CameraSettings, SoundSettings
from callagent.devices.udev_source import UdevRecord
from callagent.devices.virtual.camera import VirtualCamera
from callagent.devices.virtual.faults import VirtualDevice
from callagent.devices.virtual.microphone import VirtualMicrophone
from callagent.devices.virtual.scripted_displays import ScriptedAccelerometer, ScriptedDisplay
from callagent.devices.virtual.scripted_udev import ScriptedUdev
from callagent.devices.virtual.speaker import VirtualSpeaker
from callagent.ports import (
    AudioOutput,
    AudioPull,
    AudioSink,
    AudioSource,
    FrameSink,
    SourceError,
    VideoMode,
    VideoSource,
)

_USB = "/devices/pci0000:00/0000:00:14.0/usb1"


class ScriptedDevice:
    """One device with a plug. Its faults go with it from port to port. Thread-safe."""

    def __init__(
        self, hardware: "ScriptedHardware", records: Callable[[str, int], Sequence[UdevRecord]]
    ) -> None:
        self._hardware = hardware
        self._make_records = records
        self._records: Sequence[UdevRecord] = ()
        self._late: Sequence[UdevRecord] = ()
        self._lock = threading.Lock()
        self._open: list[VirtualDevice] = []
        self._frozen = False
        self.opened = 0
        """How often it was opened."""
        self.closed = 0
        self.refusal: SourceError | None = None
        """While set, opening fails with it."""
        self.refuses_economy_below = 0
        """Opening with less economy than this fails as for want of USB bandwidth."""
        self.let_close = threading.Event()
        """Cleared: closing blocks until it is set again, as a hung driver's does."""
        self.let_close.set()

    @property
    def plugged(self) -> bool:
        return bool(self._records)

    def plug(self, port: str) -> None:
        """Plug it in: new nodes, wherever it was before. Raises RuntimeError when it is in already."""
        if self._records:
            raise RuntimeError("it is plugged in already")
        self._records = self._make_records(port, self._hardware.next_number())
        for record in self._records:
            self._hardware.owners[record.sysfs] = self
        for record in self._records:
            self._hardware.udev.tell("add", record)

    def unplug(self, *, tell: bool = True, die: bool = True) -> None:
        """Pull it out: its nodes die, then udev tells (or not, as when the event is late).

        Without `die` open nodes seem alive: udev is faster than the driver.
        """
        records, self._records = self._records, ()
        for device in self._now_open() if die else ():
            device.fail("it was unplugged", absent=True)
        if tell:
            self._tell_removed(records)
        else:
            self._late = records

    def tell_unplugged(self) -> None:
        """The event that `unplug(tell=False)` held back."""
        self._tell_removed(self._late)

    def connect_display(self, *, takes_sound: bool) -> None:
        """Have a plugged in sound card be an HDMI output, with or without a display that takes sound."""
        self._records = [
            replace(record, attributes={**record.attributes, "sink": str(int(takes_sound))})
            if record.sysfs.endswith("p")
            else record
            for record in self._records
        ]
        for record in self._records:
            self._hardware.udev.tell("change", record)

    def freeze(self) -> None:
        """Give nothing any more, also when opened again, yet seem alive, until `thaw`."""
        self._frozen = True
        for device in self._now_open():
            device.freeze()

    def thaw(self) -> None:
        self._frozen = False
        for device in self._now_open():
            device.thaw()

    def break_down(self, reason: str = "Input/output error") -> None:
        """Die although plugged in; opening it again works, unless `refusal` is set."""
        for device in self._now_open():
            device.fail(reason)

    def recent(self, seconds: float = 10.0) -> NDArray[np.int16]:
        """What it played last, of a card with a speaker that is open."""
        for device in self._now_open():
            if isinstance(device, VirtualSpeaker):
                return device.recent(seconds)
        return np.empty(0, np.int16)

    def opening(self, device: VirtualDevice, sysfs: str, economy: int, absent_code: int) -> None:
        """For the nodes: whether this device may be opened there. Raises SourceError."""
        with self._lock:
            self.opened += 1
            if all(record.sysfs != sysfs for record in self._records):
                raise SourceError("It is not plugged in", absent_code)
            if self.refusal is not None:
                raise self.refusal
            if economy < self.refuses_economy_below:
                raise SourceError("No space left on device: not enough USB bandwidth", CAMERA_START_FAIL)
            self._open.append(device)
        if self._frozen:
            device.freeze()

    def closing(self, device: VirtualDevice) -> None:
        self.let_close.wait()
        with self._lock:
            if device in self._open:
                self._open.remove(device)
                self.closed += 1

    def _now_open(self) -> list[VirtualDevice]:
        with self._lock:
            return list(self._open)

    def _tell_removed(self, records: Sequence[UdevRecord]) -> None:
        for record in reversed(records):
            self._hardware.udev.tell("remove", record)


class ScriptedHardware:
    """A machine's devices: gives the `udev` and the `nodes` (itself) an agent is made with."""

    def __init__(self) -> None:
        self.udev = ScriptedUdev()
        self.owners: dict[str, ScriptedDevice] = {}
        self._numbers = itertools.count()
        self._camera_idents: dict[ScriptedDevice, int] = {}
        self._tones: dict[ScriptedDevice, float] = {}
        self._displays: dict[str, ScriptedDisplay] = {}
        self._accelerometers: dict[str, ScriptedAccelerometer] = {}

    def next_number(self) -> int:
        """Of the next video node or sound card."""
        return next(self._numbers)

    def new_camera(
        self, name: str = "Scripted Camera", *, serial: str = "", ident: int = 1
    ) -> ScriptedDevice:
        """A USB camera, not plugged in yet; `ident` shows in its picture's frame code."""

        def records(port: str, number: int) -> list[UdevRecord]:
            folder = f"{_USB}/1-{port}/1-{port}:1.0/video4linux"
            return [
                UdevRecord(
                    f"{folder}/video{2 * number + index}",
                    "video4linux",
                    f"/dev/video{2 * number + index}",
                    _usb(name, serial, port, number)
                    | {"ID_V4L_CAPABILITIES": (":capture:", ":")[index], "ID_V4L_PRODUCT": name},
                    {"index": str(index)},
                )
                for index in (0, 1)
            ]

        device = ScriptedDevice(self, records)
        self._camera_idents[device] = ident
        return device

    def new_card(
        self,
        name: str = "Scripted Headset",
        *,
        serial: str = "",
        tone_hz: float | None = 1000.0,
        speaker: bool = True,
    ) -> ScriptedDevice:
        """A USB sound card; with `tone_hz` it has a microphone that hears that tone."""
        directions = [*(["c"] if tone_hz is not None else []), *(["p"] if speaker else [])]

        def records(port: str, number: int) -> list[UdevRecord]:
            card = f"{_USB}/1-{port}/1-{port}:1.0/sound/card{number}"
            properties = _usb(name, serial, port, number) | {"SOUND_INITIALIZED": "1"}
            return [
                UdevRecord(card, "sound", None, properties, {"id": f"Card{number}"}),
                *(
                    UdevRecord(
                        f"{card}/pcmC{number}D0{direction}",
                        "sound",
                        f"/dev/snd/pcmC{number}D0{direction}",
                        {"USEC_INITIALIZED": str(number)},
                    )
                    for direction in directions
                ),
            ]

        device = ScriptedDevice(self, records)
        if tone_hz is not None:
            self._tones[device] = tone_hz
        return device

    def new_display(
        self, name: str = "HDMI-A-1", *, panel: PanelOrientation | None = None
    ) -> ScriptedDisplay:
        """A connector, without a display at first; `panel`: how mode setting says it is built in."""
        display = ScriptedDisplay(self.udev, name, panel)
        self._displays[display.sysfs] = display
        return display

    def new_accelerometer(self) -> ScriptedAccelerometer:
        """In a box that stands upright."""
        accelerometer = ScriptedAccelerometer(self.udev)
        self._accelerometers[accelerometer.sysfs] = accelerometer
        return accelerometer

    # --- devices.nodes.Nodes ---------------------------------------------------

    def camera(self, device: DeviceInfo, settings: CameraSettings) -> VideoSource:
        sysfs = device.instance.split()[0]
        owner = self.owners[sysfs]
        return _Camera(owner, device, sysfs, self._camera_idents[owner], settings.economy)

    def microphone(self, device: DeviceInfo, settings: SoundSettings) -> AudioSource:
        sysfs = device.instance.split()[0]
        owner = self.owners[sysfs]
        return _Microphone(owner, device, sysfs, self._tones[owner])

    def speaker(self, device: DeviceInfo, settings: SoundSettings) -> AudioOutput:
        sysfs = device.instance.split()[0]
        return _Speaker(self.owners[sysfs], device, sysfs)

    def connector(self, device: DeviceInfo) -> Connector | None:
        return self._displays[device.sysfs].connector()

    def gravity(self, device: DeviceInfo) -> Vector:
        return self._accelerometers[device.sysfs].ask()


class _Camera(VirtualCamera):
    def __init__(
        self, owner: ScriptedDevice, device: DeviceInfo, sysfs: str, ident: int, economy: int
    ) -> None:
        super().__init__(device.id, ident)
        self._owner, self._sysfs, self._economy = owner, sysfs, economy

    def open(self, mode: VideoMode, sink: FrameSink) -> VideoMode:
        self._owner.opening(self, self._sysfs, self._economy, NO_CAMERA)
        smaller = 1 << self._economy
        return super().open(VideoMode(mode.width // smaller, mode.height // smaller, mode.fps), sink)

    def close(self) -> None:
        self._owner.closing(self)
        super().close()


class _Microphone(VirtualMicrophone):
    def __init__(self, owner: ScriptedDevice, device: DeviceInfo, sysfs: str, tone_hz: float) -> None:
        super().__init__(device.id, tone_hz)
        self._owner, self._sysfs = owner, sysfs

    def open(self, sink: AudioSink) -> None:
        self._owner.opening(self, self._sysfs, 0, NO_MICROPHONE)
        super().open(sink)

    def close(self) -> None:
        self._owner.closing(self)
        super().close()


class _Speaker(VirtualSpeaker):
    def __init__(self, owner: ScriptedDevice, device: DeviceInfo, sysfs: str) -> None:
        super().__init__(device.id)
        self._owner, self._sysfs = owner, sysfs

    def open(self, pull: AudioPull) -> None:
        self._owner.opening(self, self._sysfs, 0, SPEAKER_FAIL)
        super().open(pull)

    def close(self) -> None:
        self._owner.closing(self)
        super().close()


def _usb(name: str, serial: str, port: str, number: int) -> dict[str, str]:
    """The properties udev gives a USB device in that port."""
    identity = name.replace(" ", "_")
    properties = {
        "ID_BUS": "usb",
        "ID_MODEL": identity,
        "ID_VENDOR": "Scripted",
        "ID_VENDOR_ID": "1209",
        "ID_MODEL_ID": "0001",
        "ID_SERIAL": f"Scripted_{identity}_{serial}" if serial else f"Scripted_{identity}",
        "ID_PATH": f"pci-0000:00:14.0-usb-0:{port}:1.0",
        "USEC_INITIALIZED": str(1_000_000 + number),
    }
    return properties | ({"ID_SERIAL_SHORT": serial} if serial else {})
