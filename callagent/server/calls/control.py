# SPDX-License-Identifier: GPL-3.0-or-later
"""Call control: checks requests, runs the state machine on what is stored, commits, tries again."""

import asyncio
import logging
import re
import secrets
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.events import CommandAnswerSignal, CommandSignal, OnMediaPlan, Signal
from callagent.protocol.replies import CallsData, CallSnapshot, MemberSnapshot
from callagent.protocol.requests import AnswerCommand, Calls, OfflinePushInfo, SendCommand, SendMedia
from callagent.server.announce import Announcer
from callagent.server.bus import Bus
from callagent.server.callbacks.events import Callback, Push, callbacks, push
from callagent.server.calls import state
from callagent.server.calls.commands import (
    Accept,
    Command,
    EndByService,
    Hangup,
    Invite,
    Reject,
    RingTimeout,
    Step,
)
from callagent.server.calls.model import ALIVE, Call, Member, MemberStatus
from callagent.server.clock import Now
from callagent.server.repository import Changes, InviteFacts, Repository
from callagent.server.settings import ServiceSettings
from callagent.server.storage.engine import Conflict
from callagent.server.storage.event_log import SessionKey

DEFAULT_TIMEOUT_S = 30
TIMEOUT_RANGE_S = range(10, 601)
MAX_ATTEMPTS = 20
"""Every lost compare-and-set means that another change of the same call or user went through."""

_USER_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")

T = TypeVar("T")

logger = logging.getLogger(__name__)


async def retried(attempt: Callable[[], Awaitable[T]]) -> T:
    """Load, compute and commit until no other commit came between. Raises SERVER_INTERNAL."""
    for _ in range(MAX_ATTEMPTS):
        try:
            return await attempt()
        except Conflict:
            await asyncio.sleep(0)
    raise CallAgentError(ErrorCode.SERVER_INTERNAL, "The service is too busy; try again")


class CallControl:
    """All that sessions and timers do to calls. Raises CallAgentError. Used on the event loop."""

    def __init__(
        self,
        repository: Repository,
        announcer: Announcer,
        bus: Bus,
        now: Now,
        settings: ServiceSettings,
    ) -> None:
        self._repository = repository
        self._announcer = announcer
        self._bus = bus
        self._now = now
        self._ice_servers = list(settings.ice_servers)
        self._max_members = settings.max_members
        self._policy = settings.policy

    async def invite(self, session: SessionKey, user_id: str, request: Calls) -> CallsData:
        """Start a call from this session."""
        callees = self._checked_callees(request.user_id_list, user_id)
        timeout_s = _checked_timeout(request.timeout)
        invite = Invite(
            app_id=session.app_id,
            call_id=str(uuid.uuid4()),
            room_id=request.room_id if request.room_id is not None else secrets.randbelow(2**31 - 1) + 1,
            media_type=request.media_type,
            caller_id=user_id,
            caller_name=user_id,
            session_id=session.session_id,
            callees=tuple(callees),
            busy=frozenset(),
            timeout_s=timeout_s,
            user_data=request.user_data,
            chat_group_id=request.chat_group_id,
        )
        call = await retried(lambda: self._invite(invite, callees, request.offline_push_info))
        return CallsData(call_id=call.call_id, room_id=call.room_id, timeout=timeout_s)

    async def apply(self, app_id: int, call_id: str, command: Command) -> Call | None:
        """One command on one call; None when the call is over (and the command does not mind)."""
        return await retried(lambda: self._apply(app_id, call_id, command))

    async def live(self, app_id: int, call_id: str) -> Call | None:
        """None when it is over or never was."""
        loaded = await self._repository.load(app_id, call_id)
        return loaded.call if loaded is not None else None

    async def live_in_room(self, app_id: int, room_id: int | str) -> list[str]:
        """The ids of the calls; 123 and "123" are two rooms."""
        return await self._repository.in_room(app_id, room_id)

    async def end_by_service(self, app_id: int, call_id: str) -> bool:
        """End it for everybody. False when it is over or never was."""

        async def attempt() -> bool:
            loaded = await self._repository.load(app_id, call_id)
            if loaded is None:
                return False
            now = self._now()
            command = EndByService()
            step = self.equipped(state.apply(loaded.call, command, now))
            told = callbacks(loaded.call, step, command, now)
            await self._announcer.commit(Changes(app_id, before=loaded, step=step, callbacks=told), now)
            log_end(step)
            return True

        return await retried(attempt)

    async def ring_timeout(self, app_id: int, call_id: str, user_id: str) -> None:
        await self.apply(app_id, call_id, RingTimeout(user_id))

    async def relay(self, session: SessionKey, user_id: str, request: SendMedia) -> None:
        """Pass a media message on. Raises INVITE_HANDLED, PEER_UNREACHABLE."""
        media = request.media
        loaded = await self._repository.load(session.app_id, media.call_id)
        own = _connected(loaded.call, session.session_id) if loaded is not None else None
        if loaded is None or own is None or own.user_id != user_id:
            raise CallAgentError(ErrorCode.INVITE_HANDLED, "This session is not in that call", "media.callId")
        if media.epoch != loaded.call.epoch:
            raise CallAgentError(
                ErrorCode.PEER_UNREACHABLE, "That epoch is not the present one", "media.epoch"
            )
        if request.to == session.session_id or _connected(loaded.call, request.to) is None:
            raise CallAgentError(ErrorCode.PEER_UNREACHABLE, "That session is not in the call", "to")
        target = SessionKey(session.app_id, request.to)
        await self._bus.signal(target, Signal(sender=session.session_id, media=media))

    async def relay_command(self, session: SessionKey, user_id: str, request: SendCommand) -> None:
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

    async def relay_answer(self, session: SessionKey, user_id: str, request: AnswerCommand) -> None:
        """Pass on what came of a command. Raises as `relay_command`."""
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
        loaded = await self._repository.load(session.app_id, call_id)
        own = _connected(loaded.call, session.session_id) if loaded is not None else None
        if loaded is None or own is None or own.user_id != user_id:
            raise CallAgentError(ErrorCode.INVITE_HANDLED, "This session is not in that call", "callId")
        other = _connected(loaded.call, to) if to != session.session_id else None
        if other is None:
            raise CallAgentError(ErrorCode.PEER_UNREACHABLE, "That session is not in the call", "to")
        return other

    async def _pass_on(self, target: SessionKey, message: CommandSignal | CommandAnswerSignal) -> None:
        if not await self._bus.signal(target, message):
            raise CallAgentError(ErrorCode.PEER_UNREACHABLE, "That session is away at the moment", "to")

    async def snapshot(self, session: SessionKey, user_id: str) -> CallSnapshot | None:
        """The call this session calls in, is connected in or rings for."""
        loaded = (await self._repository.load_of_user(session.app_id, user_id)).call
        if loaded is None:
            return None
        own = loaded.call.members[user_id]
        if own.status is not MemberStatus.RINGING and own.session_id != session.session_id:
            return None
        return _snapshot(loaded.call, self._now())

    async def _invite(
        self, invite: Invite, callees: Sequence[str], push_info: OfflinePushInfo | None
    ) -> Call:
        facts = await self._repository.load_invite(invite.app_id, [invite.caller_id, *callees])
        for position, user_id in enumerate(callees):
            self._check_callable(invite.app_id, invite.caller_id, user_id, facts, f"userIdList.{position}")
        now = self._now()
        caller_name = facts.known.get(invite.caller_id) or invite.caller_id
        step = state.start(replace(invite, busy=facts.busy, caller_name=caller_name), now)
        changes = Changes(
            invite.app_id,
            step=self.equipped(step),
            needs_session=invite.session_id,
            callbacks=callbacks(None, step, None, now) + _pushes(step, facts, push_info, now),
            acted=invite.session_id,
        )
        await self._announcer.commit(changes, now)
        logger.info(
            "call %s started: %s calls %s, %s",
            invite.call_id,
            invite.caller_id,
            ", ".join(callees),
            invite.media_type.name.lower(),
        )
        log_end(step)
        return step.call

    async def _apply(self, app_id: int, call_id: str, command: Command) -> Call | None:
        loaded = await self._repository.load(app_id, call_id)
        if loaded is None:
            if isinstance(command, Accept | Reject | Hangup):
                raise CallAgentError(
                    ErrorCode.INVITE_HANDLED, "The call is over or answered already", "callId"
                )
            if not isinstance(command, RingTimeout):
                raise CallAgentError(ErrorCode.REQUEST_REFUSED, "This session is in no such call", "callId")
            return None
        now = self._now()
        step = self.equipped(state.apply(loaded.call, command, now))
        if step.call == loaded.call and not step.events:
            return step.call
        needs = command.session_id if isinstance(command, Accept) else None
        changes = Changes(
            app_id,
            before=loaded,
            step=step,
            needs_session=needs,
            callbacks=callbacks(loaded.call, step, command, now),
            acted=getattr(command, "session_id", None),
        )
        await self._announcer.commit(changes, now)
        if isinstance(command, Accept):
            logger.info("call %s accepted by %s", call_id, command.user_id)
        log_end(step)
        return step.call

    def equipped(self, step: Step) -> Step:
        """The step with this service's ICE servers in its media plans."""
        if not self._ice_servers:
            return step
        events = tuple(
            replace(event, data=event.data.model_copy(update={"ice_servers": self._ice_servers}))
            if isinstance(event.data, OnMediaPlan)
            else event
            for event in step.events
        )
        return replace(step, events=events)

    def _check_callable(
        self, app_id: int, caller_id: str, user_id: str, facts: InviteFacts, field: str
    ) -> None:
        """Raises USER_NEVER_LOGGED_IN, USER_BLOCKED, CALL_NOT_ALLOWED naming the field."""
        if user_id not in facts.known:
            raise CallAgentError(ErrorCode.USER_NEVER_LOGGED_IN, "There is no such user", field)
        if user_id in facts.blocked:
            raise CallAgentError(ErrorCode.USER_BLOCKED, "This user was blocked", field)
        if not self._policy.allows(app_id, caller_id, user_id):
            raise CallAgentError(ErrorCode.CALL_NOT_ALLOWED, "You may not call this user", field)

    def _checked_callees(self, user_ids: Sequence[str], caller_id: str) -> list[str]:
        """The callees without duplicates. Raises PARAM_INVALID naming the entry, SCENE_NOT_SUPPORTED."""
        if not user_ids:
            raise _bad("Nobody to call", "userIdList")
        for position, user_id in enumerate(user_ids):
            if _USER_ID.fullmatch(user_id) is None:
                raise _bad("Not a user id", f"userIdList.{position}")
            if user_id == caller_id:
                raise _bad("You cannot call yourself", f"userIdList.{position}")
        callees = list(dict.fromkeys(user_ids))
        if len(callees) >= self._max_members:
            raise _bad(f"A call has at most {self._max_members} members, the caller included", "userIdList")
        if len(callees) > 1:
            raise CallAgentError(
                ErrorCode.SCENE_NOT_SUPPORTED, "Group calls are not built yet: call one user", "userIdList"
            )
        return callees


def _pushes(step: Step, facts: InviteFacts, info: OfflinePushInfo | None, now: float) -> tuple[Callback, ...]:
    """For those who are being rung and cannot hear it, unless the caller wants none."""
    if info is not None and info.is_disable_push:
        return ()
    deaf = {user: until for user, until in step.call.ring_deadlines().items() if user not in facts.connected}
    if not deaf:
        return ()
    said = info.wire() if info is not None else {}
    return (push(step.call, Push(tuple(deaf), max(deaf.values()) - now, said), now),)


def log_end(step: Step) -> None:
    """One line for the journal when the step ended its call."""
    if step.record is not None:
        logger.info(
            "call %s ended: %s by %s after %.1f s connected",
            step.record.call_id,
            step.record.result,
            step.record.ended_by or "the service",
            step.record.total_s,
        )


def _checked_timeout(timeout: int) -> int:
    if timeout != 0 and timeout not in TIMEOUT_RANGE_S:
        raise _bad("The timeout is 10 to 600 seconds, or 0 for 30", "timeout")
    return timeout or DEFAULT_TIMEOUT_S


def _bad(message: str, field: str) -> CallAgentError:
    return CallAgentError(ErrorCode.PARAM_INVALID, message, field)


def _connected(call: Call, session_id: str) -> Member | None:
    connected = call.with_status(MemberStatus.CONNECTED)
    return next((member for member in connected if member.session_id == session_id), None)


def _snapshot(call: Call, now: float) -> CallSnapshot:
    return CallSnapshot(
        call_id=call.call_id,
        media_type=call.media_type,
        caller_id=call.caller_id,
        room_id=call.room_id,
        user_data=call.user_data,
        chat_group_id=call.chat_group_id,
        members=[
            MemberSnapshot(
                user_id=member.user_id,
                session_id=member.session_id,
                # The caller is in the call from the start.
                status="ringing" if member.status is MemberStatus.RINGING else "connected",
                audio_available=member.audio,
                video_available=member.video,
                privacy=member.privacy,
                commands=list(member.remote_commands),
            )
            for member in call.with_status(*ALIVE)
        ],
        epoch=call.epoch,
        began_seconds_ago=None if call.accepted_at is None else max(0.0, now - call.accepted_at),
    )
