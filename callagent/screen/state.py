# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is known of the agent to what is shown. Pure: the time is handed in.

Every page has a way out: a control somebody can press, the agent's next status, or a moment at which it
ends by itself (`Shown.until`).
"""

from dataclasses import dataclass
from enum import StrEnum

from callagent.protocol.enums import CallEndReason, CallRole, CallState, LoginState, MediaType
from callagent.screen.controls import Control, controls_of
from callagent.screen.hint import button_hint
from callagent.screen.known import Ended, Known
from callagent.screen.notices import Notice, notices
from callagent.screen.settings import ScreenSettings
from callagent.screen.tiles import Tile, tiles_of

ENDED_S = 5.0
"""How long it is said why a call ended."""
RING_GRACE_S = 5.0
"""Ringing that nobody ends is no longer shown so long after its time: the agent's next status tells why."""


class Page(StrEnum):
    STARTING = "starting"
    """There is no agent (yet)."""
    IDLE = "idle"
    DIALING = "dialing"
    INCOMING = "incoming"
    CONNECTED = "connected"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Person:
    user_id: str
    name: str
    picture: str = ""
    outcome: str = ""
    """Of somebody who is called: `reject`, `no_response`, `busy`."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything the page needs; texts are keys, put into words by `texts`."""

    page: Page
    people: tuple[Person, ...] = ()
    """Whom it is about: the callees, the caller, the other members."""
    video: bool = False
    """A video call, not one of sound alone."""
    controls: tuple[Control, ...] = ()
    notices: tuple[Notice, ...] = ()
    tiles: tuple[Tile, ...] = ()
    began_at: float | None = None
    """Monotonic seconds; the call timer counts from here."""
    ended_key: str = ""
    ended_total_s: float | None = None
    missed: int = 0
    hint: str = ""
    """What the physical button does now: a key of the texts."""
    hint_who: tuple[str, ...] = ()
    """Names for the hint."""
    until: float | None = None
    """The page ends by itself then."""
    reconnecting: bool = False
    privacy: bool = False
    reachable: bool = False
    """Signed in: calls come, and can be placed."""


def show(known: Known, settings: ScreenSettings, now: float) -> Shown:
    """What people see at `now`."""
    if known.status is None:
        return Shown(Page.STARTING, notices=(Notice("starting", "calm"),))
    match known.call_state:
        case CallState.CALLING:
            page = Page.DIALING
        case CallState.RINGING if not _rung_out(known, now):
            page = Page.INCOMING
        case CallState.CONNECTED:
            page = Page.CONNECTED
        case _:
            page = Page.ENDED if _still_told(known.ended, now) else Page.IDLE
    return _page(page, known, settings, now)


def _page(page: Page, known: Known, settings: ScreenSettings, now: float) -> Shown:
    status = known.status
    assert status is not None
    call = status.call
    ended = known.ended if page is Page.ENDED else None
    hint, hint_users = button_hint(page.value, status.panel.buttons)
    found = notices(known, now)
    return Shown(
        page,
        people=tuple(_person(user, known, settings) for user in _about(page, known)),
        video=call is not None and call.media_type is MediaType.VIDEO,
        controls=controls_of(page.value, known, settings),
        notices=found,
        tiles=tiles_of(known, settings, now) if page is Page.CONNECTED else (),
        began_at=_began_at(known) if page is Page.CONNECTED else None,
        ended_key=ended_key(ended) if ended is not None else "",
        ended_total_s=ended.total_s if ended is not None else None,
        missed=known.missed if page is Page.IDLE else 0,
        hint=hint,
        hint_who=tuple(_person(user, known, settings).name for user in hint_users),
        until=_until(page, known),
        reconnecting=any(each.key == "reconnecting" for each in found),
        privacy=status.privacy.on,
        reachable=status.login is LoginState.ONLINE,
    )


def ended_key(ended: Ended) -> str:
    """Why the call is over, as this side understands it."""
    if ended.total_s is not None:
        named = {CallEndReason.OFFLINE: "ended_offline", CallEndReason.END_BY_SERVER: "ended_by_service"}
        return named.get(ended.reason, "ended")
    if ended.role is CallRole.CALLED:
        named = {
            CallEndReason.OTHER_DEVICE_ACCEPTED: "ended_elsewhere",
            CallEndReason.OTHER_DEVICE_REJECT: "ended_elsewhere",
            CallEndReason.NO_RESPONSE: "ended_missed",
            CallEndReason.CANCELED: "ended_missed",
        }
        return named.get(ended.reason, "ended")
    named = {
        CallEndReason.REJECT: "ended_rejected",
        CallEndReason.NO_RESPONSE: "ended_no_response",
        CallEndReason.LINE_BUSY: "ended_busy",
        CallEndReason.OFFLINE: "ended_unreachable",
        CallEndReason.CANCELED: "ended_cancelled",
        CallEndReason.END_BY_SERVER: "ended_by_service",
    }
    return named.get(ended.reason, "ended")


def _about(page: Page, known: Known) -> tuple[str, ...]:
    if page is Page.ENDED:
        ended = known.ended
        own = known.status.user_id if known.status is not None else ""
        return (ended.user_id,) if ended is not None and ended.user_id not in ("", own) else ()
    return known.peers


def _person(user_id: str, known: Known, settings: ScreenSettings) -> Person:
    # Remark before nickname before user id (behaviour: names shown).
    name = settings.name_of(user_id) or known.names.get(user_id) or user_id
    return Person(user_id, name, settings.picture_of(user_id), known.outcomes.get(user_id, ""))


def _began_at(known: Known) -> float | None:
    call = known.status.call if known.status is not None else None
    return None if call is None or call.began_s is None else known.status_at - call.began_s


def _still_told(ended: Ended | None, now: float) -> bool:
    # Not the difference: rounded, it may be less than that at the very end.
    return ended is not None and ended.at <= now < ended.at + ENDED_S


def _rung_out(known: Known, now: float) -> bool:
    return known.ring_until is not None and now >= known.ring_until + RING_GRACE_S


def _until(page: Page, known: Known) -> float | None:
    if page is Page.ENDED and known.ended is not None:
        return known.ended.at + ENDED_S
    if page is Page.INCOMING and known.ring_until is not None:
        return known.ring_until + RING_GRACE_S
    return None
