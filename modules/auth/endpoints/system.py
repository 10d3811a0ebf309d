"""`/admin/system`: flag holders, tokens and keys, for holders of the sysadmin flag."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from modules.auth.endpoints.signatures import Rotation, Sysadmin, Sysadmins, Tokens
from modules.auth.schemas.accounts import UserRead
from modules.auth.schemas.administration import KeyList, RotateRequest, TokenRead, UserList
from modules.shared.guards import require_sysadmin
from modules.shared.ids import TokenId, UserId
from modules.shared.pagination import Page, Paging
from modules.shared.wire import StorableText

router = APIRouter(prefix="/admin/system", tags=["admin"])


@router.get("/sysadmins", operation_id="list_sysadmins", summary="List holders of the flag")
async def list_sysadmins(caller: Sysadmin, sysadmins: Sysadmins) -> UserList:
    """Everybody who holds it and can sign in."""
    return UserList(items=await sysadmins.list_holders(caller))


@router.put("/sysadmins/{user_id}", operation_id="give_sysadmin", summary="Give the flag")
async def give_sysadmin(caller: Sysadmin, user_id: UserId, sysadmins: Sysadmins) -> UserRead:
    """Needs a recent sign-in. Every holder gets a mail."""
    return await sysadmins.give(caller, user_id)


@router.delete("/sysadmins/{user_id}", operation_id="take_sysadmin", summary="Take the flag")
async def take_sysadmin(caller: Sysadmin, user_id: UserId, sysadmins: Sysadmins) -> UserRead:
    """Needs a recent sign-in. Every holder gets a mail; the last one stays."""
    return await sysadmins.take(caller, user_id)


@router.get("/tokens", operation_id="find_tokens", summary="Find tokens")
async def find_tokens(
    caller: Sysadmin,
    tokens: Tokens,
    paging: Paging,
    user_id: UUID | None = None,
    session_id: UUID | None = None,
    purpose: Annotated[StorableText | None, Query(max_length=50, description="access, refresh, …")] = None,
) -> Page[TokenRead]:
    """A page of the tokens of a user or a session, the newest first."""
    return await tokens.find(caller, paging, user_id=user_id, session_id=session_id, purpose=purpose)


@router.delete("/tokens/{token_id}", status_code=204, operation_id="revoke_any_token", summary="End any token")
async def revoke_any_token(caller: Sysadmin, token_id: TokenId, tokens: Tokens) -> None:
    """Needs a recent sign-in. A refresh token ends with its session."""
    await tokens.revoke(caller, token_id)


@router.get("/keys", operation_id="list_keys", summary="List the keys", dependencies=[require_sysadmin()])
async def list_keys(rotation: Rotation) -> KeyList:
    """All of them, the oldest first; never a secret."""
    return KeyList(items=await rotation.list_keys())


@router.post("/keys/rotate", operation_id="rotate_keys", summary="Rotate the keys")
async def rotate_keys(caller: Sysadmin, how: RotateRequest, rotation: Rotation) -> KeyList:
    """Needs a recent sign-in. New keys are published now and sign in a minute; nobody notices. `compromised` retires
    the present ones at once and ends every session.
    """
    return KeyList(items=await rotation.rotate(caller, compromised=how.compromised))
