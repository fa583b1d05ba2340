# SPDX-License-Identifier: GPL-3.0-or-later
"""The page's one object: what QML shows, and what people touched. On the GUI thread.

QML sees it as `kiosk`. Everything in it is derived from `Known`, the settings and the clock; QML decides
nothing but how it looks.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from PySide6.QtCore import Property, QDateTime, QLocale, QObject, QTimer, Signal, Slot

from callagent.screen import words
from callagent.screen.agent_link import Command, Gone, Heard, Offered, Refused, Told
from callagent.screen.call_view import CallView
from callagent.screen.known import Known, failed, follow, lost, seen
from callagent.screen.platform import page_turn
from callagent.screen.settings import ScreenSettings
from callagent.screen.state import Page, Shown, show
from callagent.screen.texts import Texts
from callagent.screen.theme import THEMES
from callagent.screen.tile_model import TileModel

TICK_MS = 500
_TOGGLES = frozenset({"microphone", "camera", "privacy"})
_MAP: Any = "QVariantMap"
_LIST: Any = "QVariantList"
"""Qt's names; the stubs know Python types only, which QML would get as opaque objects."""

Send = Callable[[Command], None]


class Kiosk(QObject):
    """`hear` is safe to connect to a signal of another thread; all else is the GUI thread's."""

    page_changed = Signal()
    controls_changed = Signal()
    notices_changed = Signal()
    pictures_changed = Signal()
    size_changed = Signal()
    time_changed = Signal()

    def __init__(
        self,
        settings: ScreenSettings,
        texts: Texts,
        send: Send,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], QDateTime] = QDateTime.currentDateTime,
        still: bool = False,
        parent: QObject | None = None,
    ) -> None:
        """`still`: no animations, for pictures of the page and for machines short of time."""
        super().__init__(parent)
        self._settings, self._texts, self._send = settings, texts, send
        self._clock, self._wall, self._still = clock, wall, still
        self._locale = QLocale(texts.locale)
        self._known = Known()
        self._shown = Shown(Page.STARTING)
        self._size = (0.0, 0.0)
        self._turned = 0
        self._tiles = TileModel(self)
        self._call = CallView(settings, self._tiles, texts)
        self._page: dict[str, Any] = {}
        self._controls: list[dict[str, Any]] = []
        self._notices: list[dict[str, str]] = []
        self._pictures: dict[str, Any] = {}
        self._moment: dict[str, str] = {}
        self._refresh()
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._refresh)

    def run(self) -> None:
        """Follow the clock from now on."""
        self._timer.start()

    @property
    def shown(self) -> Shown:
        return self._shown

    @Slot(object)
    def hear(self, told: Told) -> None:
        now = self._clock()
        match told:
            case Heard(message):
                self._known = follow(self._known, message, now)
            case Offered(paths):
                self._known = replace(self._known, offered=paths)
            case Gone():
                self._known = lost(self._known)
            case Refused(command, code):
                self._known = failed(self._known, command, code, now)
        self._refresh()

    # --- what people did ------------------------------------------------------------

    @Slot(str)
    def press(self, name: str) -> None:
        """A control of the row."""
        self._known = seen(self._known)
        if name == "swap":
            self._call.swap()
        elif name == "layout":
            self._call.next_layout()
        elif name in _TOGGLES:
            off = any(each.name == name and each.kind == "off" for each in self._shown.controls)
            # Privacy is switched on by what closes the others.
            self._send(Command(name, on=off != (name == "privacy")))
        else:
            self._send(Command(name))
        self._refresh()

    @Slot(int)
    def call_contact(self, index: int) -> None:
        if 0 <= index < len(self._settings.contacts):
            self._known = seen(self._known)
            self._send(Command("call", self._settings.contacts[index].users))

    @Slot(int)
    def invite_contact(self, index: int) -> None:
        if 0 <= index < len(self._settings.contacts):
            self._send(Command("invite", self._settings.contacts[index].users))

    @Slot(str, float, float)
    def move_tile(self, tile: str, x: float, y: float) -> None:
        """Somebody dragged it: its centre, in page pixels."""
        self._call.move(tile, x, y)
        self._refresh()

    @Slot(int)
    def turn_page(self, step: int) -> None:
        self._call.turn_page(step)
        self._refresh()

    @Slot(float, float)
    def window_size(self, width: float, height: float) -> None:
        if (width, height) != self._size:
            self._size = (width, height)
            self.size_changed.emit()
            self._refresh()

    @Slot(float, float)
    def video_area(self, width: float, height: float) -> None:
        """The room there is for pictures, in page pixels."""
        self._call.resize(width, height)
        self._tell_pictures()

    # --- what is shown --------------------------------------------------------------

    @Slot()
    def _refresh(self) -> None:
        before, self._shown = self._shown, show(self._known, self._settings, self._clock())
        if self._shown.page is not Page.CONNECTED and before.page is Page.CONNECTED:
            self._call.forget()
        self._call.show(self._shown.tiles)
        self._tell_pictures()
        self._tell("_page", self._page_in_words(), self.page_changed)
        self._tell("_controls", words.controls_in_words(self._shown, self._texts), self.controls_changed)
        self._tell("_notices", words.notices_in_words(self._shown, self._texts), self.notices_changed)
        self._tell("_moment", self._moment_in_words(), self.time_changed)
        self._tell("_turned", self._turn, self.size_changed)

    def _tell_pictures(self) -> None:
        call = self._call
        told = {"duo": call.kind == "duo", "pages": call.pages, "page": call.page}
        self._tell("_pictures", told, self.pictures_changed)

    def _tell(self, name: str, value: object, changed: Any) -> None:
        # QML makes a list's buttons anew whenever it changes, under the finger that presses one.
        if getattr(self, name) != value:
            setattr(self, name, value)
            changed.emit()

    def _page_in_words(self) -> dict[str, Any]:
        shown, texts = self._shown, self._texts
        touched = self._settings.touch and "contacts" not in self._settings.hidden
        contacts = words.contacts_in_words(self._settings)
        return {
            "name": str(shown.page),
            "title": words.title_of(shown, texts, self._digits),
            "subtitle": words.subtitle_of(shown, texts),
            "people": words.people_in_words(shown.people, texts),
            "video": shown.video,
            "hint": words.hint_in_words(shown, texts),
            "missed": texts.say("missed", count=self._digits(str(shown.missed))) if shown.missed else "",
            "lasted": self._digits(words.span(shown.ended_total_s)) if shown.ended_total_s else "",
            "contacts": contacts,
            "callable": touched and bool(contacts),
            # Not to people who see above it that there is no network.
            "prompt": texts.say("touch_to_call" if touched and contacts else "ready")
            if shown.reachable
            else "",
            "invite": texts.say("invite"),
            "close": texts.say("close"),
            "banner": self._settings.incoming == "banner",
            "privacy": shown.privacy,
        }

    def _moment_in_words(self) -> dict[str, str]:
        now = self._wall()
        began = self._shown.began_at
        return {
            "clock": self._locale.toString(now.time(), "HH:mm") if self._settings.clock else "",
            "date": self._locale.toString(now.date(), QLocale.FormatType.LongFormat)
            if self._settings.clock
            else "",
            "timer": self._digits(words.span(self._clock() - began)) if began is not None else "",
        }

    def _digits(self, text: str) -> str:
        zero = ord(self._locale.zeroDigit()[0])
        return "".join(chr(zero + int(each)) if each in "0123456789" else each for each in text)

    @property
    def _turn(self) -> int:
        orientation = self._known.status.orientation if self._known.status is not None else None
        return page_turn(self._settings.turn, orientation.screen if orientation else "", *self._size)

    @property
    def _page_size(self) -> tuple[float, float]:
        width, height = self._size
        return (height, width) if self._turned in (90, 270) else (width, height)

    page = Property(_MAP, lambda self: self._page, notify=page_changed)
    controls = Property(_LIST, lambda self: self._controls, notify=controls_changed)
    notices = Property(_LIST, lambda self: self._notices, notify=notices_changed)
    pictures = Property(_MAP, lambda self: self._pictures, notify=pictures_changed)
    moment = Property(_MAP, lambda self: self._moment, notify=time_changed)
    tiles = Property(QObject, lambda self: self._tiles, constant=True)
    theme = Property(_MAP, lambda self: dict(THEMES[self._settings.theme]), constant=True)
    over = Property(_MAP, lambda _: dict(THEMES["dark"]), constant=True)
    """What lies over pictures is dark in every theme."""
    place = Property(str, lambda self: self._settings.place, constant=True)
    background = Property(
        str,
        lambda self: words.address(self._settings.background),
        constant=True,
    )
    watermark = Property(str, lambda self: self._settings.watermark, constant=True)
    still = Property(bool, lambda self: self._still, constant=True)
    touch = Property(bool, lambda self: self._settings.touch, constant=True)
    right_to_left = Property(bool, lambda self: self._texts.right_to_left, constant=True)
    you = Property(str, lambda self: self._texts.say("you"), constant=True)
    turn = Property(int, lambda self: self._turned, notify=size_changed)
    portrait = Property(bool, lambda self: self._page_size[1] > self._page_size[0], notify=size_changed)
    unit = Property(float, lambda self: max(1.0, min(self._size)) / 100, notify=size_changed)
    """A hundredth of the page's shorter side: every size on it is so many of these."""
