"""`/admin/users`: the accounts of the installation, for holders of the role `sysadmin`."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from modules.auth.endpoints.signatures import FactorsOfUsers, MayReadUsers, MayUpdateUsers, Users
from modules.auth.schemas.accounts import UserRead
from modules.auth.schemas.sessions import RevokedCount, SessionList
from modules.shared.ids import SessionId, UserId
from modules.shared.pagination import Page, Paging
from modules.shared.wire import StorableText

router = APIRouter(prefix="/admin/users", tags=["admin"])

Sort = Literal["created_at", "-created_at", "email", "-email"]


@router.get("", operation_id="list_users", summary="Find accounts")
async def list_users(
    context: MayReadUsers,
    users: Users,
    paging: Paging,
    sort: Sort = "-created_at",
    q: Annotated[
        StorableText | None, Query(max_length=200, description="Part of the address, the name or the slug.")
    ] = None,
    state: Literal["verified", "active", "disabled"] | None = None,
) -> Page[UserRead]:
    """A page of the accounts that fit."""
    return await users.list_users(context, paging, sort, text=q, state=state)


@router.get("/{user_id}", operation_id="get_user", summary="Read an account")
async def get_user(context: MayReadUsers, user_id: UserId, users: Users) -> UserRead:
    """One account."""
    return await users.get(context, user_id)


@router.post("/{user_id}/disable", operation_id="disable_user", summary="Block an account")
async def disable_user(context: MayUpdateUsers, user_id: UserId, users: Users) -> UserRead:
    """Effective on the account's next request; its sessions end. Needs a recent sign-in."""
    return await users.disable(context, user_id)


@router.post("/{user_id}/enable", operation_id="enable_user", summary="Let a blocked account in again")
async def enable_user(context: MayUpdateUsers, user_id: UserId, users: Users) -> UserRead:
    """Its sessions stay ended."""
    return await users.enable(context, user_id)


@router.post("/{user_id}/password-reset", status_code=202, operation_id="start_password_reset", summary="Send a reset")
async def start_password_reset(context: MayUpdateUsers, user_id: UserId, users: Users) -> None:
    """Sends the account's owner the link to choose a new password. Needs a recent sign-in."""
    await users.start_reset(context, user_id)


@router.get("/{user_id}/sessions", operation_id="list_user_sessions", summary="List an account's sessions")
async def list_user_sessions(context: MayReadUsers, user_id: UserId, users: Users) -> SessionList:
    """Those that stand."""
    return SessionList(items=await users.list_sessions(context, user_id))


@router.delete("/{user_id}/sessions", operation_id="end_user_sessions", summary="Sign somebody out everywhere")
async def end_user_sessions(context: MayUpdateUsers, user_id: UserId, users: Users) -> RevokedCount:
    """Needs a recent sign-in."""
    return RevokedCount(revoked=await users.end_sessions(context, user_id))


@router.delete(
    "/{user_id}/sessions/{session_id}",
    status_code=204,
    operation_id="end_user_session",
    summary="End a session of somebody",
)
async def end_user_session(context: MayUpdateUsers, user_id: UserId, session_id: SessionId, users: Users) -> None:
    """Needs a recent sign-in."""
    await users.end_session(context, user_id, session_id)


@router.delete(
    "/{user_id}/factors", status_code=204, operation_id="remove_user_factors", summary="Remove lost second factors"
)
async def remove_user_factors(context: MayUpdateUsers, user_id: UserId, factors: FactorsOfUsers) -> None:
    """Passkeys, authenticator app and backup codes; the person gets a mail. Needs a recent sign-in."""
    await factors.remove_all(context, user_id)
