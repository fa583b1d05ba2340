# SPDX-License-Identifier: GPL-3.0-or-later
"""What a button does, by what was done with it and what goes on. On the loop."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from callagent.config.panel import Action, ButtonConfig, DialConfig
from callagent.devices.gestures import Gesture
from callagent.protocol.enums import CallState, MediaType
from callagent.protocol.errors import CallAgentError

logger = logging.getLogger(__name__)

VOLUME_STEP = 10
_HINTS: dict[Action, str] = {
    "answer": "answer",
    "hangup": "hang up",
    "mute": "mute or unmute",
    "camera": "camera on or off",
    "switch_camera": "other camera",
    "privacy": "privacy on or off",
    "door": "open the door",
    "volume_up": "louder",
    "volume_down": "quieter",
    "none": "",
}


class Actions(Protocol):
    """What buttons can have done. Each raises CallAgentError when the moment does not allow it."""

    @property
    def call_state(self) -> CallState: ...

    async def answer_call(self) -> None: ...
    async def hang_up(self) -> None: ...
    async def dial(self, users: list[str], media_type: MediaType | None, timeout_s: int | None) -> None: ...
    async def toggle_microphone(self) -> None: ...
    async def toggle_camera(self) -> None: ...
    async def other_camera(self) -> None: ...
    async def toggle_privacy(self) -> None: ...
    async def press_door(self) -> None: ...
    async def step_volume(self, step: int) -> None: ...


class Buttons:
    """Does what the configuration says; a failure is logged and told (`on_failure`), never spread."""

    def __init__(self, actions: Actions, on_failure: Callable[[str], None]) -> None:
        self._actions = actions
        self._on_failure = on_failure
        self._tasks: set[asyncio.Task[None]] = set()
        self._hunt: asyncio.Task[None] | None = None
        self._call_changed = asyncio.Event()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def call_changed(self) -> None:
        """The engine's state may have changed."""
        self._call_changed.set()

    def perform(self, button: ButtonConfig, gesture: Gesture) -> None:
        """Start what this gesture means; returns at once."""
        action = {Gesture.SHORT: button.press, Gesture.LONG: button.long, Gesture.DOUBLE: button.double}[
            gesture
        ]
        logger.info("button %s: %s press, %s", button.name, gesture, action)
        work = self._work(action, button.dial)
        if work is not None:
            self._spawn(self._tried(button, work))

    def hint(self, button: ButtonConfig) -> str:
        """What a short press does now, for people; empty for nothing."""
        if button.switch is not None:
            return f"{button.switch} while closed"
        action = self._meant(button.press, button.dial)
        if action == "dial" and button.dial is not None:
            return "call " + ", ".join(button.dial.users or button.dial.hunt)
        return _HINTS.get(action, "")

    def _meant(self, action: Action, dial: DialConfig | None) -> Action:
        """What `call` is at this moment."""
        if action != "call":
            return action
        if self._hunting:
            return "hangup"
        match self._actions.call_state:
            case CallState.RINGING:
                return "answer"
            case CallState.IDLE:
                return "dial" if dial is not None else "none"
            case _:
                return "hangup"

    def _work(self, action: Action, dial: DialConfig | None) -> Callable[[], Awaitable[None]] | None:
        actions = self._actions
        meant = self._meant(action, dial)
        if meant == "dial":
            assert dial is not None
            return lambda: self._dial(dial)
        works: dict[Action, Callable[[], Awaitable[None]]] = {
            "answer": actions.answer_call,
            "hangup": self._hang_up,
            "mute": actions.toggle_microphone,
            "camera": actions.toggle_camera,
            "switch_camera": actions.other_camera,
            "privacy": actions.toggle_privacy,
            "door": actions.press_door,
            "volume_up": lambda: actions.step_volume(VOLUME_STEP),
            "volume_down": lambda: actions.step_volume(-VOLUME_STEP),
        }
        return works.get(meant)

    async def _tried(self, button: ButtonConfig, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except CallAgentError as error:
            logger.warning("button %s: %s", button.name, error)
            self._on_failure(str(error))

    # --- calling ------------------------------------------------------------------

    @property
    def _hunting(self) -> bool:
        return self._hunt is not None and not self._hunt.done()

    async def _hang_up(self) -> None:
        hunting = self._hunting
        if self._hunt is not None:
            self._hunt.cancel()
        if self._actions.call_state is not CallState.IDLE:
            await self._actions.hang_up()
        elif not hunting:
            logger.debug("there is nothing to hang up")

    async def _dial(self, dial: DialConfig) -> None:
        media_type = None
        if dial.media_type is not None:
            media_type = MediaType.VIDEO if dial.media_type == "video" else MediaType.AUDIO
        if dial.users:
            await self._actions.dial(dial.users, media_type, None)
        elif not self._hunting:
            self._hunt = self._spawn(self._hunt_through(dial, media_type))

    async def _hunt_through(self, dial: DialConfig, media_type: MediaType | None) -> None:
        """One after the other, until one answers or this side hangs up."""
        for user in dial.hunt:
            try:
                await self._actions.dial([user], media_type, dial.step_timeout_s)
            except CallAgentError as error:
                logger.info("%s cannot be called: %s", user, error)
                continue
            if await self._answered():
                return
        self._on_failure("Nobody answered")

    async def _answered(self) -> bool:
        """Wait until the call is connected (True) or over."""
        while True:
            match self._actions.call_state:
                case CallState.CONNECTED:
                    return True
                case CallState.IDLE:
                    return False
            self._call_changed.clear()
            await self._call_changed.wait()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
