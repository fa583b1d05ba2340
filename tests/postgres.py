# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's PostgreSQL: a cluster of its own in a temporary folder, reached over loopback only."""

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ports import wait_listening
from tests.programs import free_port

_INSTALLED = Path("/usr/lib/postgresql")
_STOP_S = 20.0


class Postgres:
    """A running server; every `database` is a new, empty one."""

    def __init__(self, programs: Path, data: Path) -> None:
        self.port = free_port()
        self._programs = programs
        self._data = data
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["-D", str(self._data), "-p", str(self.port), "-c", "listen_addresses=127.0.0.1"]
        # What is tested is not whether a machine's disk keeps what it promised.
        options += ["-c", "unix_socket_directories=", "-c", "fsync=off"]
        log = self._data.with_name("log")
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*_as_its_user(), str(self._programs / "postgres"), *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
            )
        wait_listening(self.port, self._process, log)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(2)  # fast shutdown: who is connected is cut off
            self._process.wait(_STOP_S)
            self._process = None

    def database(self) -> str:
        """The URL of a new database."""
        name = f"callagent{next(self._numbers)}"
        address = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres"]
        command = [str(self._programs / "psql"), *address, "-q", "-c", f"CREATE DATABASE {name}"]
        subprocess.run(command, check=True, capture_output=True, timeout=30)
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Raises FileNotFoundError when PostgreSQL is not installed."""
    found = sorted(_INSTALLED.glob("*/bin/initdb"))
    if not found:
        raise FileNotFoundError("Debian's postgresql is not installed: .ci/packages test")
    programs = found[-1].parent
    folder = Path(tempfile.mkdtemp(prefix="callagent-postgres-"))
    data = folder / "data"
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        initdb = [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "--auth=trust", "--no-sync"]
        subprocess.run(
            [*_as_its_user(), *initdb, "--encoding=UTF8", "--locale=C"],
            check=True,
            capture_output=True,
            timeout=60,
            cwd="/",
        )
        server = Postgres(programs, data)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _as_its_user() -> list[str]:
    """PostgreSQL does not run as root."""
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam("postgres")
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
