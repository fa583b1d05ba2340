# SPDX-License-Identifier: GPL-3.0-or-later
"""The door: who may open it, how often and for how long. On the loop."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable

from callagent.agent.lights import Output
from callagent.config.panel import DoorConfig
from callagent.ports import Clock, MonotonicClock
from callagent.protocol.errors import CallAgentError, ErrorCode

logger = logging.getLogger(__name__)

REMEMBERED = 256
"""Command ids of each caller, and callers."""
LOCAL = "the button here"


class DoorLine:
    """Opens for one pulse at a time and always shuts again, also when the agent ends in between."""

    def __init__(
        self, config: DoorConfig, output: Callable[[], Output | None], clock: Clock | None = None
    ) -> None:
        """`output` gives the line; none while its chip is gone."""
        self._config = config
        self._output = output
        self._clock = clock or MonotonicClock()
        self._opened_at: float | None = None
        self._known: OrderedDict[str, OrderedDict[str, None]] = OrderedDict()
        """Command ids by caller: nobody can have those of another forgotten."""
        self._shut: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Shut, now."""
        if self._shut is not None:
            self._shut.cancel()
            self._end_pulse()

    def open_from_afar(self, user_id: str, command_id: str, *, in_call: bool) -> None:
        """For a member of a call whom the service vouches for.

        Raises PERMISSION_DENIED, REQUEST_REPEATED for a command id that was used, else as `open`.
        """
        if not self._config.allows(user_id):
            logger.warning("door: %s may not open it (%s)", user_id, command_id)
            raise CallAgentError(ErrorCode.PERMISSION_DENIED, f"{user_id} may not open this door")
        if self._config.only_in_call and not in_call:
            logger.warning("door: %s is not in the call (%s)", user_id, command_id)
            raise CallAgentError(ErrorCode.REQUEST_REFUSED, "This door is opened in a call only")
        if not self._is_new(user_id, command_id):
            logger.warning("door: %s repeats the command %s", user_id, command_id)
            raise CallAgentError(ErrorCode.REQUEST_REPEATED, "This command was given before")
        self.open(f"{user_id} ({command_id})")

    def open(self, who: str = LOCAL) -> None:
        """Raises REQUEST_REFUSED while it is open, soon after the last time, and while its line is gone."""
        now = self._clock.now()
        if self._shut is not None:
            # A second pulse on top of the first would outlast what the lock may be driven for.
            logger.warning("door: %s asks while it is open", who)
            raise CallAgentError(ErrorCode.REQUEST_REFUSED, "The door is open")
        if self._opened_at is not None and now - self._opened_at < self._config.min_interval_s:
            logger.warning("door: %s asks too soon after the last time", who)
            raise CallAgentError(ErrorCode.REQUEST_REFUSED, "The door was opened a moment ago")
        output = self._output()
        if output is None:
            logger.warning("door: %s asks, and its line is not there", who)
            raise CallAgentError(ErrorCode.REQUEST_REFUSED, "The door's line is not there")
        try:
            output.on()
        except OSError as error:
            logger.warning("door: %s asks, and its line failed: %s", who, error)
            raise CallAgentError(ErrorCode.REQUEST_REFUSED, f"The door's line failed: {error}") from error
        self._opened_at = now
        logger.warning("door: opened for %.1f s by %s", self._config.pulse_s, who)
        self._shut = asyncio.get_running_loop().call_later(self._config.pulse_s, self._end_pulse)

    def _is_new(self, user_id: str, command_id: str) -> bool:
        """Remembers it, also when nothing comes of it."""
        known = self._known.setdefault(user_id, OrderedDict())
        self._known.move_to_end(user_id)
        if command_id in known:
            return False
        known[command_id] = None
        if len(known) > REMEMBERED:
            known.popitem(last=False)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return True

    def _end_pulse(self) -> None:
        self._shut = None
        output = self._output()
        if output is not None:
            try:
                output.off()
            except OSError as error:
                logger.warning("door: its line failed: %s", error)
