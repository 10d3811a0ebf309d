"""`/auth/magic-link`: signing in, and signing up, by a link or a code sent to an address."""

from fastapi import APIRouter, Response
from starlette.requests import Request

from modules.auth.endpoints.browser import Cookies, flow_of, forget_flow, keep_flow
from modules.auth.endpoints.sign_in import let_in
from modules.auth.endpoints.signatures import (
    HALF_SIGNED_IN,
    UNPROVEN,
    AskingForMail,
    HoldingASecret,
    MagicLinks,
    MagicLinkSignIns,
    Names,
    SettingsOfAuth,
)
from modules.auth.endpoints.waiting import Waiting
from modules.auth.schemas.accounts import Accepted
from modules.auth.schemas.magic_links import MagicLinkProof, MagicLinkRequest
from modules.auth.schemas.sessions import SecondFactorWanted, SignedIn
from modules.shared.i18n import Text, negotiate_language

router = APIRouter(prefix="/auth/magic-link", tags=["auth"])

_IF_IT_MAY_SIGN_IN = Text(
    en="If this address can sign in here, a mail is on its way. Open its link, or type its code here.",
    de="Wenn diese Adresse sich hier anmelden kann, ist eine Mail unterwegs. Öffnen Sie deren Link, oder geben Sie "
    "hier deren Code ein.",
)


@router.post("", status_code=202, operation_id="ask_magic_link", summary="Ask for a link to sign in with")
async def ask_magic_link(
    visitor: AskingForMail,
    wanted: MagicLinkRequest,
    links: MagicLinks,
    cookies: Cookies,
    names: Names,
    settings: SettingsOfAuth,
    request: Request,
    response: Response,
) -> Accepted:
    """Sends a mail with a link and codes. The answer is the same for every address: known, unknown, blocked.

    A newer link ends the older one that the same browser asked for. Whoever has no account gets one at the first
    sign-in, if the installation takes registrations.
    """
    language = wanted.language or negotiate_language(request.headers.get("accept-language"))
    flow = flow_of(cookies)
    await links.ask(visitor, wanted, language, flow=flow, device_secret=cookies.device)
    keep_flow(response, names, flow, max(settings.magic_link_lifetime, settings.registration_lifetime))
    return Accepted(message=_IF_IT_MAY_SIGN_IN.in_(language))


@router.post(
    "/verify",
    operation_id="verify_magic_link",
    summary="Sign in by the link or the code of a mail",
    responses={**UNPROVEN, **HALF_SIGNED_IN},
)
async def verify_magic_link(
    visitor: HoldingASecret,
    proof: MagicLinkProof,
    sign_ins: MagicLinkSignIns,
    cookies: Cookies,
    names: Names,
    waiting: Waiting,
    response: Response,
) -> SignedIn | SecondFactorWanted:
    """Opens a session and sets its cookies; 202 when a second factor is still to be shown.

    The link's token alone counts in the browser that asked; any other needs the six digits of the mail with it (403
    `code_required`). The eight characters count without a token, in the browser that asked. Five tries for a code.
    """
    admitted = await sign_ins.sign_in(visitor, proof, flow=cookies.flow, device_secret=cookies.device)
    forget_flow(response, names)
    await waiting.is_for(visitor, admitted)
    return let_in(response, names, admitted)
