# SPDX-License-Identifier: GPL-3.0-or-later
"""What buttons can have the agent do: the same as the control socket's clients, and nothing more."""

from typing import TYPE_CHECKING

from callagent.protocol import control as api
from callagent.protocol.enums import CallState, MediaType

if TYPE_CHECKING:
    from callagent.agent.agent import Agent


class PanelActions:
    """`buttons.Actions` on an agent."""

    def __init__(self, agent: "Agent") -> None:
        self._agent = agent

    @property
    def call_state(self) -> CallState:
        return self._agent.engine.state.call_state

    async def answer_call(self) -> None:
        await self._agent.answer()

    async def hang_up(self) -> None:
        await self._agent.hangup()

    async def dial(self, users: list[str], media_type: MediaType | None, timeout_s: int | None) -> None:
        request = {"user_id_list": users, "media_type": media_type, "timeout": timeout_s}
        await self._agent.call(api.CallRequest.model_validate(request))

    async def toggle_microphone(self) -> None:
        await self._agent.set_microphone(not self._agent.engine.state.microphone)

    async def toggle_camera(self) -> None:
        await self._agent.set_camera(not self._agent.engine.state.camera)

    async def other_camera(self) -> None:
        await self._agent.switch_camera(api.SideRequest())

    async def toggle_privacy(self) -> None:
        self._agent.privacy.toggle()

    async def press_door(self) -> None:
        await self._agent.open_door()

    async def step_volume(self, step: int) -> None:
        await self._agent.set_volume(api.VolumeRequest(step=step))
