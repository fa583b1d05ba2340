# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sessions of a call say to each other, and to the media server, through the service."""

import logging

from callagent.protocol.enums import Placement
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.events import CommandAnswerSignal, CommandSignal, Signal
from callagent.protocol.media import MediaMessage
from callagent.protocol.requests import AnswerCommand, SendCommand, SendMedia, View
from callagent.server.bus import Bus
from callagent.server.calls.group_media import GroupMedia
from callagent.server.calls.model import Call, Member, MemberStatus
from callagent.server.repository import Repository
from callagent.server.storage.event_log import SessionKey

logger = logging.getLogger(__name__)


class CallRelay:
    """Passes messages on between those who are connected; changes no call. On the event loop."""

    def __init__(self, repository: Repository, bus: Bus, group_media: GroupMedia) -> None:
        self._repository = repository
        self._bus = bus
        self._group_media = group_media

    async def media(self, session: SessionKey, user_id: str, request: SendMedia) -> None:
        """To another member or to the media server. Raises INVITE_HANDLED, PEER_UNREACHABLE."""
        media = request.media
        call = await self._own_call(session, user_id, media.call_id, "media.callId")
        if media.epoch != call.epoch:
            raise CallAgentError(
                ErrorCode.PEER_UNREACHABLE, "That epoch is not the present one", "media.epoch"
            )
        if call.placement is Placement.SFU:
            await self._group_media.message(call, session.session_id, request.to, media)
            return
        nobody = request.to == session.session_id or _connected(call, request.to) is None
        if nobody or media.kind == "restart":
            raise CallAgentError(ErrorCode.PEER_UNREACHABLE, "That session is not in the call", "to")
        target = SessionKey(session.app_id, request.to)
        passed_on = MediaMessage.model_construct(**dict(media))
        await self._bus.signal(target, Signal(sender=session.session_id, media=passed_on))

    async def view(self, session: SessionKey, user_id: str, request: View) -> None:
        """Which of another member's pictures this session wants; between members there is no choice.

        Raises INVITE_HANDLED, PEER_UNREACHABLE.
        """
        call = await self._own_call(session, user_id, request.call_id, "callId")
        seen = call.members.get(request.user_id)
        if seen is None or seen.user_id == user_id or seen.status is not MemberStatus.CONNECTED:
            raise CallAgentError(ErrorCode.PEER_UNREACHABLE, "That user is not in the call", "userId")
        if call.placement is Placement.SFU:
            await self._group_media.view(call, session.session_id, request.user_id, request.layer)

    async def command(self, session: SessionKey, user_id: str, request: SendCommand) -> None:
        """Pass a command on, now or never. Raises INVITE_HANDLED, REQUEST_REFUSED, PEER_UNREACHABLE."""
        command = request.command
        member = await self._other_side(session, user_id, command.call_id, request.to)
        if command.command not in member.remote_commands:
            raise CallAgentError(
                ErrorCode.REQUEST_REFUSED, f"{member.user_id} takes no such command", "command.command"
            )
        logger.info(
            "call %s: %s asks %s: %s (%s)",
            command.call_id,
            user_id,
            member.user_id,
            command.command,
            command.command_id,
        )
        await self._pass_on(
            SessionKey(session.app_id, request.to),
            CommandSignal(sender=session.session_id, user_id=user_id, command=command),
        )

    async def answer(self, session: SessionKey, user_id: str, request: AnswerCommand) -> None:
        """Pass on what came of a command. Raises as `command`."""
        answer = request.answer
        await self._other_side(session, user_id, answer.call_id, request.to)
        logger.info(
            "call %s: %s on command %s: %d %s",
            answer.call_id,
            user_id,
            answer.command_id,
            answer.code,
            answer.message,
        )
        await self._pass_on(
            SessionKey(session.app_id, request.to),
            CommandAnswerSignal(sender=session.session_id, answer=answer),
        )

    async def _other_side(self, session: SessionKey, user_id: str, call_id: str, to: str) -> Member:
        """The member connected with session `to`, when this session is connected in the same call."""
        call = await self._own_call(session, user_id, call_id, "callId")
        other = _connected(call, to) if to != session.session_id else None
        if other is None:
            raise CallAgentError(ErrorCode.PEER_UNREACHABLE, "That session is not in the call", "to")
        return other

    async def _pass_on(self, target: SessionKey, message: CommandSignal | CommandAnswerSignal) -> None:
        if not await self._bus.signal(target, message):
            raise CallAgentError(ErrorCode.PEER_UNREACHABLE, "That session is away at the moment", "to")

    async def _own_call(self, session: SessionKey, user_id: str, call_id: str, field: str) -> Call:
        """The call in which this session is connected. Raises INVITE_HANDLED."""
        loaded = await self._repository.load(session.app_id, call_id)
        own = _connected(loaded.call, session.session_id) if loaded is not None else None
        if loaded is None or own is None or own.user_id != user_id:
            raise CallAgentError(ErrorCode.INVITE_HANDLED, "This session is not in that call", field)
        return loaded.call


def _connected(call: Call, session_id: str) -> Member | None:
    connected = call.with_status(MemberStatus.CONNECTED)
    return next((member for member in connected if member.session_id == session_id), None)
