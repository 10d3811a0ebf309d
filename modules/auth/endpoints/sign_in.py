"""`/auth/login`, `/auth/refresh`, `/auth/logout`: a browser's session, kept in cookies. No body ever holds a token."""

from fastapi import APIRouter, Response
from starlette.requests import Request

from modules.auth.cookies import CookieNames
from modules.auth.endpoints.browser import (
    Cookies,
    ForgetsSession,
    bearer_of,
    forget_session,
    keep_pending,
    keep_session,
)
from modules.auth.endpoints.signatures import (
    HALF_SIGNED_IN,
    UNPROVEN,
    HoldingASecret,
    Names,
    ProvingThemselves,
    Refreshes,
    Sessions,
    SignedInPerson,
    SignIns,
    SignOuts,
)
from modules.auth.endpoints.waiting import Waiting
from modules.auth.errors import InvalidToken
from modules.auth.schemas.accounts import LoginRequest
from modules.auth.schemas.sessions import RevokedCount, SecondFactorWanted, SessionTokens, SignedIn
from modules.auth.service.entrance import PendingSignIn
from modules.auth.service.issuing import OpenedSession
from modules.shared import clock

router = APIRouter(prefix="/auth", tags=["auth"])
sign_out_router = APIRouter(prefix="/auth", tags=["auth"], route_class=ForgetsSession)


@router.post(
    "/login", operation_id="log_in", summary="Sign in with a password", responses={**UNPROVEN, **HALF_SIGNED_IN}
)
async def log_in(
    visitor: ProvingThemselves,
    credentials: LoginRequest,
    sign_ins: SignIns,
    cookies: Cookies,
    names: Names,
    waiting: Waiting,
    response: Response,
) -> SignedIn | SecondFactorWanted:
    """Opens a session and sets its cookies; 202 when a second factor is still to be shown. Scripts use
    `POST /auth/token`.
    """
    opened = await sign_ins.sign_in(visitor, credentials.email, credentials.password, device_secret=cookies.device)
    await waiting.is_for(visitor, opened)
    return let_in(response, names, opened)


@router.post("/refresh", operation_id="refresh_session", summary="Renew the session's cookies", responses=UNPROVEN)
async def refresh_session(
    visitor: HoldingASecret,
    refreshes: Refreshes,
    cookies: Cookies,
    names: Names,
    waiting: Waiting,
    response: Response,
) -> SignedIn:
    """Two tabs that do this at once both go on. A refusal leaves the cookies alone: another tab may have newer ones."""
    if cookies.refresh is None:
        raise InvalidToken
    opened = await refreshes.refresh(visitor, cookies.refresh)
    await waiting.is_for(visitor, opened)  # the access token may have run out while they were at the provider
    keep_session(response, names, opened)
    return signed_in(opened)


@sign_out_router.post("/logout", status_code=204, operation_id="log_out", summary="Sign out")
async def log_out(
    visitor: HoldingASecret, request: Request, sign_outs: SignOuts, cookies: Cookies, waiting: Waiting
) -> None:
    """Ends the session of the cookies or of the bearer token; the refresh cookie alone suffices. Signing out twice is
    fine. 503 when it could not be written: the browser is signed out, the session not yet.
    """
    await sign_outs.sign_out(visitor, access=cookies.access or bearer_of(request), refresh=cookies.refresh)
    await waiting.is_over(visitor)


@router.post("/logout-all", operation_id="log_out_everywhere", summary="Sign out everywhere")
async def log_out_everywhere(
    caller: SignedInPerson, sessions: Sessions, names: Names, waiting: Waiting, response: Response
) -> RevokedCount:
    """Ends every session of the caller, this one too, from the next request on."""
    revoked = await sessions.end_all(caller)
    await waiting.is_over(caller)
    forget_session(response, names)
    return RevokedCount(revoked=revoked)


def let_in(
    response: Response, names: CookieNames, admitted: OpenedSession | PendingSignIn
) -> SignedIn | SecondFactorWanted:
    """The answer of every way in, with its cookies: the session, or 202 and what is still to be shown."""
    if isinstance(admitted, PendingSignIn):
        keep_pending(response, names, admitted)
        response.status_code = 202
        return SecondFactorWanted.model_validate({"factors": list(admitted.factors), "expires_at": admitted.expires_at})
    keep_session(response, names, admitted)
    return signed_in(admitted)


def signed_in(opened: OpenedSession) -> SignedIn:
    """A session as its browser is told of it."""
    return SignedIn(user=opened.user, session=opened.session, access_expires_at=opened.tokens.access_expires_at)


def session_tokens(opened: OpenedSession) -> SessionTokens:
    """A session's tokens for a client without cookies."""
    seconds = int((opened.tokens.access_expires_at - clock.now()).total_seconds())
    return SessionTokens(
        access_token=opened.tokens.access, expires_in=max(0, seconds), refresh_token=opened.tokens.refresh
    )
