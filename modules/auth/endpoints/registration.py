"""`/auth/register`, `/auth/email`: from an address to an account, and the links that prove addresses."""

from fastapi import APIRouter, Response
from starlette.requests import Request

from modules.auth.endpoints.browser import Cookies, bearer_of, flow_of, forget_flow, keep_flow
from modules.auth.endpoints.sign_in import let_in
from modules.auth.endpoints.signatures import (
    HALF_SIGNED_IN,
    UNPROVEN,
    AskingForMail,
    EmailAddresses,
    HoldingASecret,
    Names,
    Registrations,
    SettingsOfAuth,
)
from modules.auth.endpoints.waiting import Waiting
from modules.auth.schemas.accounts import Accepted, LinkRequest, RegisterRequest, VerifyRequest
from modules.auth.schemas.sessions import SecondFactorWanted, SignedIn
from modules.shared.i18n import Text, negotiate_language

router = APIRouter(prefix="/auth", tags=["auth"])

LOOK_AT_YOUR_MAILS = Text(
    en="Look at your mails: we have sent you a link.",
    de="Sehen Sie in Ihre Mails: Wir haben Ihnen einen Link geschickt.",
)


@router.post("/register", status_code=202, operation_id="register", summary="Register")
async def register(
    visitor: AskingForMail,
    wanted: RegisterRequest,
    registrations: Registrations,
    names: Names,
    settings: SettingsOfAuth,
    cookies: Cookies,
    request: Request,
    response: Response,
) -> Accepted:
    """Sends a link; the account comes into being when it is opened. The answer is the same for a known address."""
    language = wanted.language or negotiate_language(request.headers.get("accept-language"))
    flow = flow_of(cookies)
    await registrations.register(visitor, wanted, language, flow=flow)
    keep_flow(response, names, flow, settings.registration_lifetime)
    return Accepted(message=LOOK_AT_YOUR_MAILS.in_(language))


@router.post(
    "/email/verify",
    operation_id="verify_email",
    summary="Open the link of a mail",
    responses={**UNPROVEN, **HALF_SIGNED_IN, 204: {"description": "A changed address counts from now on."}},
)
async def verify_email(
    visitor: HoldingASecret,
    link: VerifyRequest,
    registrations: Registrations,
    addresses: EmailAddresses,
    cookies: Cookies,
    names: Names,
    request: Request,
    waiting: Waiting,
    response: Response,
) -> SignedIn | SecondFactorWanted | None:
    """Finishes a registration and signs in, or proves a changed address (then 204).

    A registration opened in another browser than the one that registered needs the password again. A changed address is
    proven in the browser that asked for the change or where the same person is signed in (else 403
    `asking_browser_required`), and only while the session that asked stands.
    """
    if await addresses.is_change(link.token):
        shown = tuple(token for token in (cookies.access, bearer_of(request)) if token is not None)
        await addresses.prove_change(visitor, link.token, flow=cookies.flow, access=shown)
        response.status_code = 204
        return None
    opened = await registrations.verify(
        visitor, link.token, flow=cookies.flow, password=link.password, set_up_code=link.set_up_code
    )
    forget_flow(response, names)
    await waiting.is_for(visitor, opened)
    return let_in(response, names, opened)


@router.post("/email/take-back", status_code=204, operation_id="take_back_email", summary="Take a changed address back")
async def take_back_email(visitor: HoldingASecret, link: LinkRequest, addresses: EmailAddresses) -> None:
    """The former address is the account's again. Every session ends; passkeys, the authenticator app, backup codes, API
    keys, connected sign-ins and the password are gone. A link to choose another password is sent to that address.
    """
    await addresses.take_back(visitor, link.token)
