# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of hardware profiles: those that come with the program, and the site's own in place of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from callagent.config.loader import load
from callagent.config.problems import ConfigError, ConfigProblem
from callagent.config.profile import HardwareProfile

SITE_FOLDER = Path("/etc/callagent/hw-profiles")
_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class ProfileFile:
    """A profile and where it stands."""

    profile: HardwareProfile
    path: Path
    own: bool = False
    """Written for this site rather than shipped."""


def shipped_folder() -> Path:
    """hw-profiles in the installed package, else at the top of a checkout."""
    inside = _PACKAGE / "hw-profiles"
    return inside if inside.is_dir() else _PACKAGE.parent / "hw-profiles"


def load_profiles(shipped: Path | None = None, site: Path = SITE_FOLDER) -> Sequence[ProfileFile]:
    """Every profile by name; a file of `site` takes the place of the shipped one of its name.

    Blocks on the files. Raises ConfigError with the mistakes of all of them.
    """
    paths = {path.stem: (path, False) for path in _files(shipped or shipped_folder())}
    paths |= {path.stem: (path, True) for path in _files(site)}
    found: list[ProfileFile] = []
    problems: list[ConfigProblem] = []
    for name in sorted(paths):
        path, own = paths[name]
        try:
            found.append(ProfileFile(load(path, HardwareProfile), path, own))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return found


def _files(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.suffix == ".yaml"]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError([ConfigProblem(str(folder), f"cannot be listed: {error.strerror}")]) from error
