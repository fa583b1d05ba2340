# SPDX-License-Identifier: GPL-3.0-or-later
"""Call control: checks requests, runs the state machine on what is stored, commits, tries again."""

import asyncio
import logging
import secrets
import uuid
from collections.abc import Awaitable, Callable, Container
from dataclasses import replace
from typing import TypeVar

from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.events import OnMediaPlan
from callagent.protocol.replies import (
    CallsData,
    CallSnapshot,
    InviteData,
    JoinData,
    RefusedUser,
)
from callagent.protocol.requests import (
    Calls,
    InviteUser,
    OfflinePushInfo,
)
from callagent.server.announce import Announcer
from callagent.server.callbacks.events import Callback, Push, callbacks, push
from callagent.server.calls import state
from callagent.server.calls.admission import Admission, checked_timeout
from callagent.server.calls.commands import (
    Accept,
    Addressed,
    Command,
    EndByService,
    Hangup,
    Invite,
    InviteMore,
    Join,
    Reject,
    RingTimeout,
    Step,
    ToSession,
)
from callagent.server.calls.group_media import GroupMedia
from callagent.server.calls.model import ALIVE, Call, MemberStatus
from callagent.server.calls.snapshot import snapshot_of
from callagent.server.clock import Now
from callagent.server.repository import Changes, InviteFacts, Repository
from callagent.server.settings import ServiceSettings
from callagent.server.storage.engine import Conflict
from callagent.server.storage.event_log import SessionKey

MAX_ATTEMPTS = 20
"""Every lost compare-and-set means that another change of the same call or user went through."""

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
        now: Now,
        settings: ServiceSettings,
        group_media: GroupMedia,
    ) -> None:
        self._repository = repository
        self._announcer = announcer
        self._now = now
        self._ice = settings.ice
        self._admission = Admission(settings)
        self._group_media = group_media

    async def invite(self, session: SessionKey, user_id: str, request: Calls, *, sfu: bool) -> CallsData:
        """Start a call from this session; `sfu`: it can use a media server."""
        callees = self._admission.callees(request.user_id_list, user_id)
        self._admission.check_size(1 + len(callees))
        timeout_s = checked_timeout(request.timeout)
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
            sfu=sfu,
        )
        call, refused = await retried(lambda: self._invite(invite, request.offline_push_info))
        return CallsData(call_id=call.call_id, room_id=call.room_id, timeout=timeout_s, refused=refused)

    async def invite_more(self, session: SessionKey, user_id: str, request: InviteUser) -> InviteData:
        """Ring more users for the call of this session."""
        callees = self._admission.callees(request.user_id_list, user_id)
        timeout_s = checked_timeout(request.timeout)
        command = InviteMore(user_id, session.session_id, tuple(callees), frozenset(), timeout_s)
        return await retried(lambda: self._invite_more(session.app_id, command, request))

    async def join(self, session: SessionKey, user_id: str, call_id: str, *, sfu: bool) -> JoinData:
        """Enter a running call by oneself."""

        async def attempt() -> Call:
            own = (await self._repository.load_of_user(session.app_id, user_id)).call
            if own is not None and own.call.call_id != call_id:
                raise CallAgentError(ErrorCode.REQUEST_REFUSED, "You are in another call")
            call = await self.live(session.app_id, call_id)
            if call is None:
                raise CallAgentError(ErrorCode.INVITE_HANDLED, "There is no such call any more", "callId")
            alive = call.with_status(*ALIVE)
            if user_id not in [member.user_id for member in alive]:
                self._admission.check_may_join(call, user_id)
                self._admission.check_size(len(alive) + 1, "callId")
            joined = await self._apply(session.app_id, call_id, Join(user_id, session.session_id, sfu))
            return joined or call

        call = await retried(attempt)
        return JoinData(room_id=call.room_id, media_type=call.media_type)

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
            step = self.step(loaded.call, command, now)
            told = callbacks(loaded.call, step, command, now)
            await self._announcer.commit(Changes(app_id, before=loaded, step=step, callbacks=told), now)
            log_end(step)
            return True

        return await retried(attempt)

    async def ring_timeout(self, app_id: int, call_id: str, user_id: str) -> None:
        await self.apply(app_id, call_id, RingTimeout(user_id))

    async def snapshot(self, session: SessionKey, user_id: str) -> CallSnapshot | None:
        """The call this session calls in, is connected in or rings for."""
        loaded = (await self._repository.load_of_user(session.app_id, user_id)).call
        if loaded is None:
            return None
        own = loaded.call.members[user_id]
        if own.status is not MemberStatus.RINGING and own.session_id != session.session_id:
            return None
        return snapshot_of(loaded.call, self._now())

    async def _invite(
        self, invite: Invite, push_info: OfflinePushInfo | None
    ) -> tuple[Call, list[RefusedUser]]:
        facts = await self._repository.load_invite(invite.app_id, [invite.caller_id, *invite.callees])
        callees, refused = self._admission.sort(invite.app_id, invite.caller_id, invite.callees, facts)
        now = self._now()
        caller_name = facts.known.get(invite.caller_id) or invite.caller_id
        ready = replace(invite, callees=tuple(callees), busy=facts.busy, caller_name=caller_name)
        step = state.start(ready, now)
        changes = Changes(
            invite.app_id,
            step=self._equipped(step, now),
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
        return step.call, refused

    async def _invite_more(self, app_id: int, command: InviteMore, request: InviteUser) -> InviteData:
        loaded = await self._repository.load(app_id, request.call_id)
        if loaded is None:
            raise CallAgentError(ErrorCode.INVITE_HANDLED, "The call is over", "callId")
        there = {member.user_id for member in loaded.call.with_status(*ALIVE)}
        new = [user_id for user_id in command.callees if user_id not in there]
        self._admission.check_size(len(there) + len(new))
        facts = await self._repository.load_invite(app_id, [command.user_id, *new])
        callees, refused = self._admission.sort(app_id, command.user_id, command.callees, facts, but=there)
        now = self._now()
        name = facts.known.get(command.user_id) or command.user_id
        ready = replace(command, callees=tuple(callees), busy=facts.busy & set(callees), inviter_name=name)
        step = self.step(loaded.call, ready, now)
        changes = Changes(
            app_id,
            before=loaded,
            step=step,
            callbacks=callbacks(loaded.call, step, ready, now)
            + _pushes(step, facts, request.offline_push_info, now, only=callees),
            acted=command.session_id,
        )
        await self._announcer.commit(changes, now)
        logger.info("call %s: %s invites %s", request.call_id, command.user_id, ", ".join(callees))
        rung = step.call.members
        invited = [user_id for user_id in callees if rung[user_id].status is MemberStatus.RINGING]
        return InviteData(invited=invited, refused=refused)

    async def _apply(self, app_id: int, call_id: str, command: Command) -> Call | None:
        loaded = await self._repository.load(app_id, call_id)
        if loaded is None:
            if isinstance(command, Accept | Reject | Hangup | Join):
                raise CallAgentError(
                    ErrorCode.INVITE_HANDLED, "The call is over or answered already", "callId"
                )
            if not isinstance(command, RingTimeout):
                raise CallAgentError(ErrorCode.REQUEST_REFUSED, "This session is in no such call", "callId")
            return None
        now = self._now()
        step = self.step(loaded.call, command, now)
        if step.call == loaded.call and not step.events:
            return step.call
        needs = command.session_id if isinstance(command, Accept | Join) else None
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

    def step(self, call: Call, command: Command, now: float) -> Step:
        """What the command does, ready to be told. Raises as `state.apply`."""
        return self._equipped(state.apply(call, command, now, media_server=self._group_media.available), now)

    def _equipped(self, step: Step, now: float) -> Step:
        """The step with each session's own ICE servers in its media plan."""

        def equipped(event: Addressed) -> Addressed:
            if not isinstance(event.data, OnMediaPlan) or not isinstance(event.to, ToSession):
                return event
            plan = self._ice.equipped(event.data, step.call.app_id, event.to.session_id, now)
            return replace(event, data=plan)

        return replace(step, events=tuple(map(equipped, step.events)))


def _pushes(
    step: Step,
    facts: InviteFacts,
    info: OfflinePushInfo | None,
    now: float,
    only: Container[str] | None = None,
) -> tuple[Callback, ...]:
    """For those (of `only`) who are being rung and cannot hear it, unless the caller wants none."""
    if info is not None and info.is_disable_push:
        return ()
    deaf = {
        user: until
        for user, until in step.call.ring_deadlines().items()
        if user not in facts.connected and (only is None or user in only)
    }
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
