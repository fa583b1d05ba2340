# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens when somebody calls."""

from datetime import time
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from callagent.config.base import Section, Switch, UserName, key_error

AnswerMode = Literal["ring", "auto", "reject", "do_not_disturb"]
ANYONE = "anyone"


def _caller_list(value: Any) -> Any:
    return [ANYONE] if value == ANYONE else value


Callers = Annotated[list[UserName], Field(min_length=1), BeforeValidator(_caller_list)]
"""User ids; `anyone`, alone or in the list, is everybody."""
Delay = Annotated[float, Field(ge=0, le=30)]


def _time_of_day(value: Any) -> Any:
    if isinstance(value, str):
        hours, colon, minutes = value.partition(":")
        digits = hours.isdecimal() and minutes.isdecimal() and len(minutes) == 2 and len(hours) <= 2
        if colon and digits and int(hours) < 24 and int(minutes) < 60:
            return time(int(hours), int(minutes))
    if isinstance(value, time):
        return value
    raise ValueError('must be a time of day such as "22:00"')


TimeOfDay = Annotated[
    time,
    BeforeValidator(_time_of_day),
    WithJsonSchema({"type": "string", "pattern": "^([01]?[0-9]|2[0-3]):[0-5][0-9]$"}),
]


class Hours(Section):
    """A stretch of every day, local time; it may run over midnight."""

    from_: TimeOfDay = Field(alias="from")
    to: TimeOfDay

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.from_ == self.to:
            raise key_error("to", "is the same as from; for the whole day use mode: do_not_disturb")
        return self

    def contains(self, moment: time) -> bool:
        """`from` belongs to it, `to` does not any more."""
        if self.from_ < self.to:
            return self.from_ <= moment < self.to
        return moment >= self.from_ or moment < self.to


class AnswerRule(Section):
    from_: Callers = Field(alias="from")
    mode: AnswerMode
    delay_s: Delay | None = None
    """None: that of the section."""

    def matches(self, user_id: str) -> bool:
        return _named(self.from_, user_id)


class AnswerConfig(Section):
    """The rules are tried in order, the first that matches the caller decides; else `mode`."""

    mode: AnswerMode = "ring"
    delay_s: Delay = 1.0
    """Seconds an automatic answer waits while the chime sounds."""
    from_: Callers | None = Field(default=None, alias="from")
    """Whom `mode: auto` answers; everybody else rings."""
    camera: Switch = True
    """Whether the camera is on when a video call is answered."""
    rules: list[AnswerRule] = []
    do_not_disturb: list[Hours] = []
    """Within these hours nobody rings, whatever the mode and the rules say."""

    @model_validator(mode="after")
    def _auto_names_callers(self) -> Self:
        if self.mode == "auto" and self.from_ is None:
            raise key_error(
                "from", "is required with mode: auto: list the user ids to answer, or write from: anyone"
            )
        return self

    def decide(self, user_id: str, local_time: time) -> tuple[AnswerMode, float]:
        """The mode for this caller at this time of day, and the delay of an automatic answer in seconds."""
        if any(hours.contains(local_time) for hours in self.do_not_disturb):
            return "do_not_disturb", self.delay_s
        for rule in self.rules:
            if rule.matches(user_id):
                return rule.mode, self.delay_s if rule.delay_s is None else rule.delay_s
        if self.mode == "auto" and not _named(self.from_ or [], user_id):
            return "ring", self.delay_s
        return self.mode, self.delay_s


def _named(callers: list[str], user_id: str) -> bool:
    return ANYONE in callers or user_id in callers
