"""`/auth/passkeys`: my passkeys, and signing in with one."""

from uuid import UUID

from fastapi import APIRouter, Response

from modules.auth.endpoints.browser import Cookies, flow_of, keep_flow, keep_session
from modules.auth.endpoints.sign_in import signed_in
from modules.auth.endpoints.signatures import (
    UNPROVEN,
    Names,
    Passkeys,
    PasskeySignIns,
    ProvingThemselves,
    SignedInPerson,
)
from modules.auth.endpoints.waiting import Waiting
from modules.auth.schemas.factors import (
    PasskeyCreate,
    PasskeyList,
    PasskeyOptions,
    PasskeyRead,
    PasskeyRename,
    PasskeySignInRequest,
)
from modules.auth.schemas.sessions import SignedIn
from modules.auth.service.passkey_proof import LIFETIME

router = APIRouter(prefix="/auth/passkeys", tags=["auth"])


@router.get("", operation_id="list_passkeys", summary="List my passkeys")
async def list_passkeys(caller: SignedInPerson, passkeys: Passkeys) -> PasskeyList:
    """The oldest first."""
    return PasskeyList(items=[PasskeyRead.model_validate(each) for each in await passkeys.list_own(caller)])


@router.post("/options", operation_id="begin_passkey", summary="Begin to set up a passkey")
async def begin_passkey(caller: SignedInPerson, passkeys: Passkeys) -> PasskeyOptions:
    """Needs a recent sign-in. The challenge counts once, for five minutes, in this session."""
    return PasskeyOptions(public_key=await passkeys.begin(caller))


@router.post("", status_code=201, operation_id="create_passkey", summary="Set up a passkey")
async def create_passkey(caller: SignedInPerson, made: PasskeyCreate, passkeys: Passkeys) -> PasskeyRead:
    """Needs a recent sign-in. From now on a sign-in by password asks for a second factor."""
    return PasskeyRead.model_validate(await passkeys.finish(caller, made.name, made.credential.model_dump()))


@router.patch("/{passkey_id}", operation_id="rename_passkey", summary="Rename a passkey")
async def rename_passkey(
    caller: SignedInPerson, passkey_id: UUID, renamed: PasskeyRename, passkeys: Passkeys
) -> PasskeyRead:
    """One of mine."""
    return PasskeyRead.model_validate(await passkeys.rename(caller, passkey_id, renamed.name))


@router.delete("/{passkey_id}", status_code=204, operation_id="delete_passkey", summary="Remove a passkey")
async def delete_passkey(caller: SignedInPerson, passkey_id: UUID, passkeys: Passkeys) -> None:
    """Needs a recent sign-in. The only way into the account stays."""
    await passkeys.remove(caller, passkey_id)


@router.post("/sign-in/options", operation_id="begin_passkey_sign_in", summary="Begin to sign in with a passkey")
async def begin_passkey_sign_in(
    visitor: ProvingThemselves, sign_ins: PasskeySignIns, cookies: Cookies, names: Names, response: Response
) -> PasskeyOptions:
    """Nobody names themselves: the passkey does. The challenge counts once, for five minutes, in this browser."""
    holder = flow_of(cookies)
    if holder != cookies.flow:
        keep_flow(response, names, holder, LIFETIME)
    return PasskeyOptions(public_key=await sign_ins.begin(visitor, holder))


@router.post("/sign-in", operation_id="sign_in_with_passkey", summary="Sign in with a passkey", responses=UNPROVEN)
async def sign_in_with_passkey(
    visitor: ProvingThemselves,
    answer: PasskeySignInRequest,
    sign_ins: PasskeySignIns,
    cookies: Cookies,
    names: Names,
    waiting: Waiting,
    response: Response,
) -> SignedIn:
    """Opens a session and sets its cookies. A passkey is two factors by itself."""
    answered = answer.credential.model_dump()
    opened = await sign_ins.sign_in(visitor, cookies.flow, answered, device_secret=cookies.device)
    await waiting.is_for(visitor, opened)
    keep_session(response, names, opened)
    return signed_in(opened)
