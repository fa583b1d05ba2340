# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours of the page, dark and light. Pure; that texts stand out from what is behind them is tested."""

from collections.abc import Mapping

Colours = Mapping[str, str]

DARK: Colours = {
    "background": "#0E1726",
    "background2": "#16263B",
    "surface": "#1D2F47",
    "text": "#F4F7FB",
    "quiet": "#A9B9CD",
    "accent": "#7CC4FF",
    "good": "#12803C",
    "bad": "#C8242F",
    "on_strong": "#FFFFFF",
    "control": "#2A405E",
    "on_control": "#F4F7FB",
    "off": "#F4F7FB",
    "on_off": "#16263B",
    "error": "#8E1B24",
    "on_error": "#FFFFFF",
    "warning": "#FFD166",
    "on_warning": "#2B2000",
    "calm": "#22384F",
    "on_calm": "#F4F7FB",
    "scrim": "#B3080D16",
    "on_scrim": "#FFFFFF",
    "veil": "#E00E1726",
    "speaking": "#4ADE80",
    "video": "#05080D",
}

LIGHT: Colours = {
    "background": "#F3F6FA",
    "background2": "#DCE6F1",
    "surface": "#FFFFFF",
    "text": "#12202F",
    "quiet": "#4A5B6E",
    "accent": "#0B5CAD",
    "good": "#12803C",
    "bad": "#C8242F",
    "on_strong": "#FFFFFF",
    "control": "#D3DEEA",
    "on_control": "#12202F",
    "off": "#12202F",
    "on_off": "#FFFFFF",
    "error": "#A31B26",
    "on_error": "#FFFFFF",
    "warning": "#FFD166",
    "on_warning": "#2B2000",
    "calm": "#DCE6F1",
    "on_calm": "#12202F",
    "scrim": "#B3080D16",
    "on_scrim": "#FFFFFF",
    "veil": "#E0F3F6FA",
    "speaking": "#12803C",
    "video": "#05080D",
}

THEMES: Mapping[str, Colours] = {"dark": DARK, "light": LIGHT}

VEILED = (("on_scrim", "scrim"), ("text", "veil"), ("quiet", "veil"), ("accent", "veil"))
"""(text, what lies between it and a picture): whatever the picture shows."""
PAIRS = (
    ("text", "background"),
    ("text", "background2"),
    ("text", "surface"),
    ("quiet", "background"),
    ("quiet", "background2"),
    ("quiet", "surface"),
    ("accent", "background"),
    ("on_strong", "good"),
    ("on_strong", "bad"),
    ("on_control", "control"),
    ("on_off", "off"),
    ("on_error", "error"),
    ("on_warning", "warning"),
    ("on_calm", "calm"),
)
"""(text, what it stands on) as the pages use them."""

AVATARS = ("#1F6FB2", "#7A4BA8", "#A8475E", "#2F7D6B", "#8A5A1F", "#4C5FA8")
"""Behind white initials, one for each user."""


def avatar_colour(user_id: str) -> str:
    """Always the same for one user, on every machine."""
    return AVATARS[sum(user_id.encode()) % len(AVATARS)]


def initials(name: str) -> str:
    """What stands for a face: one or two letters, one character of a Chinese or Japanese name."""
    words = [word for word in name.replace("_", " ").replace("-", " ").split() if word[0].isalnum()]
    if not words:
        return name[:1].upper()
    if len(words) == 1 or not words[0][0].isascii():
        return words[0][0].upper()
    return (words[0][0] + words[-1][0]).upper()


def contrast(first: str, second: str) -> float:
    """1 to 21 (WCAG 2.2, contrast ratio) of two opaque colours, `#rrggbb`."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def blended(veil: str, below: str) -> str:
    """What is seen of `below` (`#rrggbb`) through `veil` (`#aarrggbb`)."""
    share = int(veil[1:3], 16) / 255
    pairs = ((int(veil[at + 2 : at + 4], 16), int(below[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(share * above + (1 - share) * under):02X}" for above, under in pairs)


def _luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
