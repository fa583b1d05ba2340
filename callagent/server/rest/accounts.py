# SPDX-License-Identifier: GPL-3.0-or-later
"""`im_open_login_svc`: accounts brought in, looked up and deleted (room-server-voiceroom B10)."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from callagent.protocol.base import UserId
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.server.rest.contract import Envelope, Rest, RestCode, RestError
from callagent.server.rest.gate import Admin, limited, service_of
from callagent.server.rest.route import RestRoute
from callagent.server.sessions import BLOCKED

MANY = 100
"""Accounts of one request."""
MANY_PER_S = 100

ShortValue = Annotated[str, Field(max_length=500)]


class AccountRoute(RestRoute):
    bad_parameter = RestCode.ACCOUNT_PARAMETER
    internal = RestCode.ACCOUNT_INTERNAL


class ImportedAccount(Rest):
    user_id: UserId = Field(alias="UserID")
    nick: ShortValue | None = None
    """None: as it is, of an account that exists."""
    face_url: ShortValue | None = None


class ImportAccounts(Rest):
    # Each by itself: one that does not fit is told, the others come in.
    account_list: Annotated[list[dict[str, object]], Field(min_length=1, max_length=MANY)]


class ImportAccountsReply(Envelope):
    fail_accounts: list[str]


class NamedAccount(Rest):
    user_id: str = Field(alias="UserID")


class CheckAccounts(Rest):
    check_item: Annotated[list[NamedAccount], Field(min_length=1, max_length=MANY)]


class DeleteAccounts(Rest):
    delete_item: Annotated[list[NamedAccount], Field(min_length=1, max_length=MANY)]


class BlockAccount(Rest):
    user_id: str = Field(alias="UserID")
    blocked: bool


class CheckedAccount(Rest):
    user_id: str = Field(alias="UserID")
    result_code: int = 0
    result_info: str = ""
    account_status: Literal["Imported", "NotImported"]


class CheckAccountsReply(Envelope):
    result_item: list[CheckedAccount]


class DeletedAccount(Rest):
    user_id: str = Field(alias="UserID")
    result_code: int = 0
    result_info: str = ""


class DeleteAccountsReply(Envelope):
    result_item: list[DeletedAccount]


router = APIRouter(prefix="/v4/im_open_login_svc", route_class=AccountRoute, tags=["im_open_login_svc"])


@router.post("/account_import", dependencies=[Depends(limited())])
async def account_import(request: Request, app_id: Admin, body: ImportedAccount) -> Envelope:
    """Create the account, or change nickname and avatar of the one there is."""
    await service_of(request).accounts.put_user(app_id, body.user_id, body.nick, body.face_url)
    return Envelope()


@router.post("/multiaccount_import", dependencies=[Depends(limited(MANY_PER_S))])
async def multiaccount_import(request: Request, app_id: Admin, body: ImportAccounts) -> ImportAccountsReply:
    accounts, failed = service_of(request).accounts, []
    for given in body.account_list:
        try:
            each = ImportedAccount.model_validate(given)
            await accounts.put_user(app_id, each.user_id, each.nick, each.face_url)
        except (ValueError, CallAgentError):
            failed.append(str(given.get("UserID", "")))
    return ImportAccountsReply(fail_accounts=failed)


@router.post("/account_check", dependencies=[Depends(limited(MANY_PER_S))])
async def account_check(request: Request, app_id: Admin, body: CheckAccounts) -> CheckAccountsReply:
    names = [item.user_id for item in body.check_item]
    known = await service_of(request).accounts.known(app_id, names)
    return CheckAccountsReply(
        result_item=[
            CheckedAccount(user_id=name, account_status="Imported" if name in known else "NotImported")
            for name in names
        ]
    )


@router.post("/account_delete", dependencies=[Depends(limited(MANY_PER_S))])
async def account_delete(request: Request, app_id: Admin, body: DeleteAccounts) -> DeleteAccountsReply:
    """With device keys, codes and sessions, which leave their calls; the records of those stay."""
    service, results = service_of(request), []
    for item in body.delete_item:
        try:
            await service.sessions.end_all(app_id, item.user_id)
            await service.accounts.delete_user(app_id, item.user_id)
            results.append(DeletedAccount(user_id=item.user_id))
        except CallAgentError as error:
            results.append(
                DeletedAccount(
                    user_id=item.user_id, result_code=RestCode.ACCOUNT_NOT_EXIST, result_info=error.message
                )
            )
    return DeleteAccountsReply(result_item=results)


@router.post("/account_block", dependencies=[Depends(limited(MANY_PER_S))])
async def account_block(request: Request, app_id: Admin, body: BlockAccount) -> Envelope:
    """Ours: keep an account from logging in and being called, or no longer; its sessions end at once."""
    service = service_of(request)
    try:
        await service.accounts.set_blocked(app_id, body.user_id, body.blocked)
    except CallAgentError as error:
        raise RestError(RestCode.ACCOUNT_NOT_EXIST, error.message) from error
    if body.blocked:
        await service.sessions.end_all(app_id, body.user_id, BLOCKED, ErrorCode.USER_BLOCKED)
    return Envelope()
