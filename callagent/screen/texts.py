# SPDX-License-Identifier: GPL-3.0-or-later
"""What the screen says, in the language of the site: one YAML file each in i18n/.

Another language is one more file there with the same keys; nothing else names the languages.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from string import Formatter

import yaml

_FOLDER = "i18n"
FIRST = "en"
"""The language whose file decides which keys there are."""


class NoSuchLanguage(ValueError):
    """There is no file of that name; the message says which there are."""


@dataclass(frozen=True, slots=True)
class Texts:
    language: str
    name: str
    """Of the language, in itself."""
    locale: str
    """Qt's name of the locale, for dates and times."""
    right_to_left: bool
    fonts: tuple[str, ...]
    """Families in order of preference; all of fonts-noto-core and fonts-noto-cjk."""
    words: Mapping[str, str]

    def say(self, key: str, **values: object) -> str:
        """The text of a key. Raises KeyError for one that no language has."""
        return self.words[key].format(**values)


def languages() -> tuple[str, ...]:
    """Names of all there are files for, sorted."""
    folder = files("callagent.screen") / _FOLDER
    return tuple(
        sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    )


def load_texts(language: str) -> Texts:
    """Raises NoSuchLanguage."""
    known = languages()
    if language not in known:
        raise NoSuchLanguage(f"there is no language {language!r}; there are {', '.join(known)}")
    text = (files("callagent.screen") / _FOLDER / f"{language}.yaml").read_text(encoding="utf-8")
    data = yaml.safe_load(text)
    about, words = data["language"], data["texts"]
    return Texts(
        language,
        about["name"],
        about["locale"],
        bool(about.get("right_to_left", False)),
        tuple(about["fonts"]),
        {str(key): str(value) for key, value in words.items()},
    )


def placeholders(text: str) -> frozenset[str]:
    """Names in braces that a text needs."""
    return frozenset(name for _, name, _, _ in Formatter().parse(text) if name)
