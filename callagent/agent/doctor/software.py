# SPDX-License-Identifier: GPL-3.0-or-later
"""Libraries, their versions, and what they need beside them."""

import importlib
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from callagent import __version__
from callagent.agent.doctor.checks import Check, ok, problem

LIBRARIES = {
    "aiohttp": "aiohttp",
    "aiortc": "aiortc",
    "av": "av",
    "cffi": "cffi",
    "evdev": "evdev",
    "gpiod": "gpiod",
    "gpiozero": "gpiozero",
    "ifaddr": "ifaddr",
    "linuxpy": "linuxpy.video.device",
    "numpy": "numpy",
    "pyalsaaudio": "alsaaudio",
    "pydantic": "pydantic",
    "pyudev": "pyudev",
    "pyyaml": "yaml",
}
"""By the name of the package: the module that must be importable."""
CODECS = ("libx264", "libvpx")
"""FFmpeg's encoders that no call goes without."""
ALSA_VARIABLE = "ALSA_CONFIG_PATH"
ALSA_DEFAULT = "/usr/share/alsa/alsa.conf"


def library_failures() -> dict[str, str]:
    """Why a library cannot be imported, by package; those that can be are not in it. Takes about a second."""
    failures = {}
    for package, module in LIBRARIES.items():
        try:
            importlib.import_module(module)
        except Exception as error:  # a library may fail in any way when something is missing below it
            failures[package] = str(error) or type(error).__name__
    return failures


def missing_codecs() -> list[str]:
    """Of CODECS. Raises ImportError without PyAV."""
    import av

    return [name for name in CODECS if name not in av.codecs_available]


def library_checks(failures: Mapping[str, str], versions: Mapping[str, str]) -> Iterator[Check]:
    """Pure."""
    for package, reason in failures.items():
        yield problem(
            f"the library {package} cannot be used: {reason}",
            f"install it again: /opt/callagent/bin/pip install --force-reinstall {package}",
        )
    good = [f"{package} {versions.get(package, '?')}" for package in LIBRARIES if package not in failures]
    yield ok(f"libraries: {', '.join(good)}")


def codec_checks(missing: list[str]) -> Iterator[Check]:
    """Pure."""
    for name in missing:
        remedy = (
            "install PyAV's own wheel: /opt/callagent/bin/pip install --force-reinstall --only-binary av av"
        )
        yield problem(f"FFmpeg has no {name}", remedy)
    if not missing:
        yield ok(f"FFmpeg has {', '.join(CODECS)}")


def opus_version() -> str:
    """Of the library that calls use for sound. Raises OpusError with what to do, ImportError without cffi."""
    from callagent.media.opus import library

    return library.version()


def opus_check(find_version: Callable[[], str]) -> Check:
    try:
        return ok(f"sound: {find_version()}")
    except Exception as error:  # as with the libraries, there are many ways to be broken
        return problem(f"no sound in calls: {error}", "apt-get install --reinstall libopus0")


def alsa_check(environment: Mapping[str, str]) -> Check:
    """Libraries from PyPI bring a libasound of their own, which looks for ALSA's files elsewhere."""
    given = environment.get(ALSA_VARIABLE)
    path = Path(given or ALSA_DEFAULT)
    said = f"{ALSA_VARIABLE}={given}" if given else f"{ALSA_VARIABLE} is not set"
    if os.path.isfile(path):
        return ok(f"{said}; ALSA's configuration is {path}")
    if given:
        remedy = f"unset {ALSA_VARIABLE}, or set it to {ALSA_DEFAULT} as systemd/callagent.service does"
        return problem(f"{said}, which is no file: no sound card can be opened by name", remedy)
    return problem(
        f"{said} and {path} is missing: no sound card can be opened", "apt-get install libasound2-data"
    )


def system_check() -> Check:
    try:
        distribution = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        distribution = ""
    parts = [
        f"callagent {__version__}",
        f"Python {platform.python_version()}",
        f"Linux {platform.release()}",
        distribution,
    ]
    return ok(", ".join(part for part in parts if part))


def installed_versions() -> dict[str, str]:
    found = {}
    for package in LIBRARIES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
