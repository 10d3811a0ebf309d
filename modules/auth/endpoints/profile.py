"""`/users/me`: my profile, my data, my address, my leaving."""

from typing import Any

from fastapi import APIRouter, Response
from starlette.requests import Request

from modules.auth.endpoints.browser import Cookies, bearer_of, flow_of, forget_session, keep_flow
from modules.auth.endpoints.registration import LOOK_AT_YOUR_MAILS
from modules.auth.endpoints.signatures import (
    EmailAddresses,
    Myself,
    Names,
    Profiles,
    SettingsOfAuth,
    SignedInPerson,
)
from modules.auth.schemas.accounts import Accepted, AddressRequest, ProfilePatch, UserRead
from modules.shared.i18n import negotiate_language
from modules.shared.versions import IfMatch

router = APIRouter(prefix="/users/me", tags=["me"])


@router.get("", operation_id="get_profile", summary="Read my profile")
async def get_profile(caller: Myself, profiles: Profiles) -> UserRead:
    """Who I am here."""
    return await profiles.get(caller)


@router.patch("", operation_id="update_profile", summary="Change my profile")
async def update_profile(
    caller: SignedInPerson, patch: ProfilePatch, profiles: Profiles, if_match: IfMatch = None
) -> UserRead:
    """Merge patch (RFC 7396). The address is changed by `POST /users/me/email`."""
    return await profiles.change(caller, patch, if_match)


@router.post("/email", status_code=202, operation_id="change_email", summary="Change my mail address")
async def change_email(
    caller: SignedInPerson,
    address: AddressRequest,
    addresses: EmailAddresses,
    names: Names,
    settings: SettingsOfAuth,
    cookies: Cookies,
    request: Request,
    response: Response,
) -> Accepted:
    """Needs a recent sign-in. The new address counts when its link was opened, in this browser or where the same person
    is signed in, and before this session ends; the old one can take it back.
    """
    if bearer_of(request) is None:
        flow = flow_of(cookies)
        keep_flow(response, names, flow, settings.registration_lifetime)
    else:
        flow = None  # a program keeps no cookie for us: it shows its token again
    await addresses.ask_change(caller, address.email, flow=flow)
    language = negotiate_language(request.headers.get("accept-language"), caller.user.language)
    return Accepted(message=LOOK_AT_YOUR_MAILS.in_(language))


@router.get("/export", operation_id="export_my_data", summary="Take my data with me")
async def export_my_data(caller: SignedInPerson, profiles: Profiles) -> dict[str, Any]:
    """Everything kept about me."""
    return await profiles.export(caller)


@router.delete("", operation_id="delete_account", summary="Delete my account")
async def delete_account(caller: SignedInPerson, profiles: Profiles, names: Names, response: Response) -> UserRead:
    """Needs a recent sign-in. Every session ends at once; the account is erased after the grace, unless somebody signs
    in to it before.
    """
    left = await profiles.leave(caller)
    forget_session(response, names)
    return left
