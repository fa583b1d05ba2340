# SPDX-License-Identifier: GPL-3.0-or-later
"""What each request of a logged-in session does."""

from collections.abc import Awaitable, Callable
from typing import Any

from callagent.protocol.base import Wire
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.replies import UsersData
from callagent.protocol.requests import (
    SFU_CAPABILITY,
    Accept,
    AnswerCommand,
    AnyRequest,
    Calls,
    GetHistory,
    GetUsers,
    Hangup,
    InviteUser,
    Join,
    Logout,
    Reject,
    Renegotiate,
    SendCommand,
    SendMedia,
    SetSelfInfo,
    SetTracks,
    SwitchMediaType,
    View,
)
from callagent.server.accounts import Accounts
from callagent.server.calls import commands
from callagent.server.calls.control import CallControl
from callagent.server.calls.history import history_of
from callagent.server.calls.relay import CallRelay
from callagent.server.limits import Limits
from callagent.server.presence import Presence
from callagent.server.sessions import Login, Sessions
from callagent.server.storage.engine import Storage

Handler = Callable[[Login, Any], Awaitable[Wire | None]]


class Handlers:
    """One method per request type; each gives the reply's data or raises CallAgentError."""

    def __init__(
        self,
        storage: Storage,
        accounts: Accounts,
        sessions: Sessions,
        control: CallControl,
        relay: CallRelay,
        presence: Presence,
        limits: Limits,
    ) -> None:
        self._storage = storage
        self._accounts = accounts
        self._sessions = sessions
        self._control = control
        self._relay = relay
        self._presence = presence
        self._limits = limits
        self._of_type: dict[type[AnyRequest], Handler] = {
            Logout: self._logout,
            Calls: self._calls,
            InviteUser: self._invite_user,
            Join: self._join,
            SwitchMediaType: self._switch_media_type,
            View: self._view,
            Accept: self._accept,
            Reject: self._reject,
            Hangup: self._hangup,
            SetTracks: self._set_tracks,
            Renegotiate: self._renegotiate,
            SendMedia: self._media,
            SendCommand: self._remote_command,
            AnswerCommand: self._remote_answer,
            GetUsers: self._get_users,
            GetHistory: self._get_history,
            SetSelfInfo: self._set_self_info,
        }

    async def handle(self, login: Login, request: AnyRequest) -> dict[str, object]:
        """`hello` and `ping` are the connection's own and never come here."""
        data = await self._of_type[type(request)](login, request)
        return data.wire() if data is not None else {}

    async def _logout(self, login: Login, _request: Logout) -> None:
        await self._sessions.logout(login)

    async def _calls(self, login: Login, request: Calls) -> Wire:
        self._check_rate(login)
        return await self._control.invite(login.key, login.user_id, request, sfu=_can_use_sfu(login))

    async def _invite_user(self, login: Login, request: InviteUser) -> Wire:
        self._check_rate(login)
        return await self._control.invite_more(login.key, login.user_id, request)

    async def _join(self, login: Login, request: Join) -> Wire:
        self._check_rate(login)
        return await self._control.join(login.key, login.user_id, request.call_id, sfu=_can_use_sfu(login))

    async def _switch_media_type(self, login: Login, request: SwitchMediaType) -> None:
        command = commands.SwitchMediaType(login.user_id, login.key.session_id, request.media_type)
        await self._command(login, request.call_id, command)

    async def _view(self, login: Login, request: View) -> None:
        await self._relay.view(login.key, login.user_id, request)

    async def _accept(self, login: Login, request: Accept) -> None:
        accept = commands.Accept(login.user_id, login.key.session_id, _can_use_sfu(login))
        await self._command(login, request.call_id, accept)

    async def _reject(self, login: Login, request: Reject) -> None:
        await self._command(login, request.call_id, commands.Reject(login.user_id, login.key.session_id))

    async def _hangup(self, login: Login, request: Hangup) -> None:
        await self._command(login, request.call_id, commands.Hangup(login.user_id, login.key.session_id))

    async def _set_tracks(self, login: Login, request: SetTracks) -> None:
        session_id = login.key.session_id
        command = commands.SetTracks(
            login.user_id,
            session_id,
            request.audio,
            request.video,
            request.privacy,
            None if request.commands is None else tuple(dict.fromkeys(request.commands)),
        )
        await self._command(login, request.call_id, command)

    async def _renegotiate(self, login: Login, request: Renegotiate) -> None:
        command = commands.Renegotiate(login.user_id, login.key.session_id, request.epoch)
        await self._command(login, request.call_id, command)

    async def _media(self, login: Login, request: SendMedia) -> None:
        await self._relay.media(login.key, login.user_id, request)

    async def _remote_command(self, login: Login, request: SendCommand) -> None:
        await self._relay.command(login.key, login.user_id, request)

    async def _remote_answer(self, login: Login, request: AnswerCommand) -> None:
        await self._relay.answer(login.key, login.user_id, request)

    async def _get_users(self, login: Login, request: GetUsers) -> Wire:
        if request.subscribe:
            self._presence.watch(login.key)
        return UsersData(users=await self._presence.users(login.key.app_id, request.user_ids))

    async def _get_history(self, login: Login, request: GetHistory) -> Wire:
        app_id, user_id = login.key.app_id, login.user_id
        return await history_of(self._storage, app_id, user_id, request.limit, request.before)

    async def _set_self_info(self, login: Login, request: SetSelfInfo) -> None:
        app_id, user_id = login.key.app_id, login.user_id
        await self._accounts.set_self_info(app_id, user_id, request.nickname, request.avatar)
        self._presence.changed(app_id, [user_id])

    def _check_rate(self, login: Login) -> None:
        """Raises TOO_MANY_REQUESTS."""
        if not self._limits.allows_call(login.key.app_id, login.user_id):
            raise CallAgentError(ErrorCode.TOO_MANY_REQUESTS, "You call too often; try again in a moment")

    async def _command(self, login: Login, call_id: str, command: commands.Command) -> None:
        await self._control.apply(login.key.app_id, call_id, command)


def _can_use_sfu(login: Login) -> bool:
    return SFU_CAPABILITY in login.capabilities
