# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may call whom: the operator's rules, the first that fits decides. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase


class JoinPolicy(StrEnum):
    """Who may enter a running call without being rung."""

    MEMBERS = "members"
    """Of the call's chat group; the service keeps no groups, so those who were invited."""
    INVITED = "invited"
    """Who was invited once, whatever became of it."""
    ANYONE = "anyone"


@dataclass(frozen=True, slots=True)
class CallRule:
    callers: tuple[str, ...]
    """User ids, or patterns with `*`, `?` and `[...]`."""
    callees: tuple[str, ...]
    allow: bool
    app_id: int | None = None
    """None: of every app."""

    def fits(self, app_id: int, caller: str, callee: str) -> bool:
        return (
            self.app_id in (None, app_id)
            and any(fnmatchcase(caller, pattern) for pattern in self.callers)
            and any(fnmatchcase(callee, pattern) for pattern in self.callees)
        )


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """Without a rule that fits everybody may call everybody."""

    rules: Sequence[CallRule] = ()

    def allows(self, app_id: int, caller: str, callee: str) -> bool:
        return next((rule.allow for rule in self.rules if rule.fits(app_id, caller, callee)), True)
