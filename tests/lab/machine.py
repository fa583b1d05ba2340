# SPDX-License-Identifier: GPL-3.0-or-later
"""The guest as a context manager: QEMU in software emulation, started from a saved state in some 2 s.

    with Machine(image()) as machine:
        print(machine.run("uname -r").out)

The disk is read-only under a memory overlay, so every start is from the same state. Commands go
through QEMU's guest agent: no network, no login. `machine.share` is /share in the guest.
`python -m tests.lab.machine freeze IMAGE` boots an image and saves the state (tests/lab/build does).
"""

import base64
import contextlib
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.lab import displays
from tests.lab.qemu_channel import Channel, ChannelError
from tests.programs import free_port

BOOT_S = 120.0
_BOOTS = 3
_EMULATORS_FAULT = "Oops: int3"
"""Emulated on two threads, one processor now and then still runs into the breakpoint by which the other has
just patched the kernel's code (seen once). It says nothing of callagent: boot again."""
HOST = "10.0.2.2"
"""This machine, as seen from the guest."""
_COMMAND_LINE = (
    "console=ttyS0 quiet loglevel=4 systemd.show_status=no panic=-1 nokaslr mitigations=off audit=0 "
    "cryptomgr.notests tsc=nowatchdog norandmaps rcupdate.rcu_expedited=1 net.ifnames=0 clearcpuid=cx16"
)
"""Without cx16: emulated, cmpxchg16b now and then leaves its operand in the flags, and the kernel panics in
its allocator. Programs still see it: NumPy would not start without."""
_STATE = "ready.state"
_HARDWARE = Path(__file__).parent / "image/hardware"
_WARM_UP = (
    "/opt/callagent/bin/python -c 'import av, aiortc, gpiozero, gpiod, alsaaudio, linuxpy.video.device'"
)


@dataclass(frozen=True, slots=True)
class Result:
    """What a command in the guest printed, and how it ended."""

    command: str
    code: int
    out: str
    err: str


class EmulatorFailed(RuntimeError):
    """The guest's kernel fell over something that only its emulation does."""


class CommandFailed(AssertionError):
    """A command in the guest ended with another code than 0."""


class Machine:
    """One running guest. Every method blocks."""

    CONTROL_PORT = 7000
    """In the guest; `control_port` here leads there."""

    def __init__(self, image: Path, *, boot: str | None = None) -> None:
        """`boot`: boot with these further words for the kernel, rather than start from the saved state."""
        self._image = image
        self._boot = boot
        self._folder = Path(tempfile.mkdtemp(prefix="callagent-lab-"))
        self.share = self._folder / "share"
        self.share.mkdir()
        self._process: subprocess.Popen[bytes] | None = None
        self.control_port = free_port()
        self.started_s = 0.0
        """How long it took to start."""
        self.installed_s = 0.0
        """How long it took to install callagent."""
        self.slowdown = 1.0
        """How many times slower it is than this machine."""

    def __enter__(self) -> Self:
        began = time.monotonic()
        try:
            self._start()
            # A saved state has the clock of its making. vhci_hcd tells of every frame number it is asked for:
            # an emulated serial line would be busy with that all day.
            self.run(f"date -s @{time.time():.3f}; dmesg -n 1")
            self.run("mount /share")
        except BaseException:
            self.__exit__()
            raise
        self.started_s = time.monotonic() - began
        return self

    def __exit__(self, *_: object) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(OSError, ChannelError):
                self.monitor("quit")
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)

    # --- commands ---------------------------------------------------------------------

    def run(self, command: str, *, check: bool = True, timeout_s: float = 60.0) -> Result:
        """A shell command. Raises CommandFailed (unless told not to), TimeoutError."""
        with Channel(self._folder / "agent", 30).sync() as agent:
            started = agent.call(
                "guest-exec", path="/bin/sh", arg=["-c", command], **{"capture-output": True}
            )
            pause_s, deadline = 0.02, time.monotonic() + timeout_s
            while not (status := agent.call("guest-exec-status", pid=started["pid"]))["exited"]:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"still running after {timeout_s:.0f} s: {command}")
                time.sleep(pause_s)
                pause_s = min(pause_s * 1.5, 0.3)
        result = Result(
            command,
            status.get("exitcode", 128 + status.get("signal", 0)),
            *(
                base64.b64decode(status.get(key, "")).decode(errors="replace")
                for key in ("out-data", "err-data")
            ),
        )
        if check and result.code != 0:
            raise CommandFailed(f"{command}: exit code {result.code}\n{result.out}{result.err}")
        return result

    def background(self, command: str, log: str) -> None:
        """Start a shell command that goes on by itself; its output goes to /share/LOG."""
        self.run(f"setsid sh -c {shlex.quote(command)} >/share/{log} 2>&1 </dev/null &")

    def until(self, command: str, *, timeout_s: float = 30.0) -> str:
        """Run it until it succeeds; what it printed. Raises AssertionError with the last try."""
        deadline = time.monotonic() + timeout_s
        while True:
            result = self.run(command, check=False)
            if result.code == 0:
                return result.out
            if time.monotonic() > deadline:
                raise AssertionError(f"never came true: {command}\n{result.out}{result.err}")
            time.sleep(0.1)

    def monotonic(self) -> float:
        """Seconds on the guest's CLOCK_MONOTONIC."""
        return float(self.run("cut -d' ' -f1 /proc/uptime").out)

    # --- devices ----------------------------------------------------------------------

    def monitor(self, execute: str, **arguments: Any) -> Any:
        """A command to QEMU's monitor, such as device_add."""
        with Channel(self._folder / "monitor", 60) as monitor:
            monitor.call("qmp_capabilities")
            return monitor.call(execute, **arguments)

    def gpio(self, *words: object) -> str:
        """The simulated GPIO chip: see `lab-gpio` in the guest."""
        return self.run("lab-gpio " + " ".join(shlex.quote(str(word)) for word in words)).out.strip()

    def plug_display(self, width: int, height: int) -> None:
        """A display of this size in the first connector; 0x0 pulls it out."""
        displays.plug(self._folder / "display", width, height)

    def attach_usb(self, tcp_port: int, usb_port: int, speed: int) -> None:
        """Plug what listens on a port of this machine into a USB port of the guest."""
        self.run(f"python3 -IS /share/guest/attach.py {HOST} {tcp_port} {usb_port} {speed}")

    # --- saving -----------------------------------------------------------------------

    def save(self) -> None:
        """Keep the present state for later starts; the guest ends."""
        # A mounted 9p folder keeps a machine from being saved.
        self.run("umount /share")
        state = self._image / _STATE
        part = state.with_suffix(".part")
        self.monitor("migrate-set-parameters", **{"max-bandwidth": 1 << 34})
        self.monitor("migrate", uri=f"exec:cat > {shlex.quote(str(part))}")
        while (status := self.monitor("query-migrate").get("status")) not in ("completed", "failed"):
            time.sleep(0.1)
        if status == "failed":
            raise ChannelError("the machine's state cannot be saved")
        part.rename(state)

    # --- starting -----------------------------------------------------------------------

    def _start(self) -> None:
        for boot in range(1, _BOOTS + 1):
            try:
                self._launch()
                self._wait_for_agent(time.monotonic() + BOOT_S)
            except EmulatorFailed as error:
                if boot == _BOOTS:
                    raise
                sys.stderr.write(f"laboratory: boot {boot} of {_BOOTS}: {error}\n")
            else:
                return

    def _launch(self) -> None:
        image, folder = self._image, self._folder
        lines = [line for line in _HARDWARE.read_text().splitlines() if not line.startswith("#")]
        hardware = " ".join(lines).format(
            image=image, folder=folder, share=self.share, control_port=self.control_port
        )
        words = f"{_COMMAND_LINE} {self._boot or ''}"
        command = ["qemu-system-x86_64", *hardware.split(), "-append", words]
        state = image / _STATE
        if self._boot is None:
            command += ["-incoming", f"exec:cat {shlex.quote(str(state))}"]
        with (folder / "qemu.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _wait_for_agent(self, deadline: float) -> None:
        assert self._process is not None
        while True:
            if self._process.poll() is not None:
                kind = EmulatorFailed if _EMULATORS_FAULT in self.console(None) else RuntimeError
                raise kind(f"QEMU ended: {(self._folder / 'qemu.log').read_text()}{self.console()}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"the guest does not answer: {self.console()}")
            try:
                with Channel(self._folder / "agent", 2).sync():
                    return
            except (OSError, ValueError):
                time.sleep(0.05)

    def trouble(self) -> str:
        """The guest's tasks that wait in the kernel without a way out, its USB ports, its last words."""
        return self.run(
            "for p in /proc/[0-9]*/task/*; do if grep -q '^State:.D' $p/status; then "
            "cat $p/comm $p/stack; fi; done; "
            "head -10 /sys/devices/platform/vhci_hcd.0/status; "
            "dmesg | grep -v 'Not yet implemented' | tail -60",
            check=False,
        ).out

    def console(self, most: int | None = 4000) -> str:
        """The kernel's last words, so many characters; None: all of them."""
        with contextlib.suppress(OSError):
            words = (self._folder / "console.log").read_text(errors="replace")
            return words if most is None else words[-most:]
        return ""


def image() -> Path:
    """The image for the present inputs; built when there is none, which takes some minutes."""
    build = Path(__file__).parent / "build"
    done = subprocess.run([build], check=True, stdout=subprocess.PIPE, text=True)
    return Path(done.stdout.strip())


def freeze(folder: Path) -> None:
    """Boot, let it settle, save."""
    with Machine(folder, boot="") as machine:
        machine.run("systemctl is-system-running --wait; udevadm settle", check=False, timeout_s=BOOT_S)
        failed = machine.run("systemctl --failed --no-legend").out.strip()
        if failed:
            raise SystemExit(f"services of the guest failed:\n{failed}")
        machine.run(_WARM_UP, timeout_s=120)
        machine.save()


if __name__ == "__main__":
    assert sys.argv[1] == "freeze", "usage: python -m tests.lab.machine freeze IMAGE"
    freeze(Path(sys.argv[2]))
