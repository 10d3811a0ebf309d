"""`/auth/token` and `/auth/revoke`: tokens for clients without cookies, as OAuth 2.0 has them (RFC 6749, RFC 7009)."""

from typing import Annotated

from fastapi import APIRouter, Form

from modules.auth.endpoints.sign_in import session_tokens
from modules.auth.endpoints.signatures import (
    HoldingASecret,
    ProvingThemselves,
    Refreshes,
    SecondFactorSignIns,
    SignIns,
    SignOuts,
)
from modules.auth.errors import InvalidGrant, InvalidToken, InvalidTokenRequest, UnsupportedGrantType
from modules.auth.factor_errors import SecondFactorFailed
from modules.auth.schemas.accounts import TokenRequest
from modules.auth.schemas.sessions import SessionTokens
from modules.auth.service.devices import KEEPS_NO_COOKIES
from modules.auth.service.issuing import OpenedSession
from modules.auth.sign_in_errors import LoginFailed, SecondFactorRequired
from modules.shared.context import Visitor
from modules.shared.wire import StorableText

router = APIRouter(prefix="/auth", tags=["auth"])


@router.post("/token", operation_id="issue_token", summary="Get tokens for a script")
async def issue_token(
    visitor: ProvingThemselves,
    request: Annotated[TokenRequest, Form()],
    sign_ins: SignIns,
    second_factors: SecondFactorSignIns,
    refreshes: Refreshes,
) -> SessionTokens:
    """`grant_type=password` with `username` and `password`, or `grant_type=refresh_token` with `refresh_token`. Whoever
    has set up an authenticator app sends its code with the password, as `otp`.

    Other parameters are ignored. Refusals carry `error` as RFC 6749, section 5.2, names them. Failed tries by anybody
    make `password` wait (429), since no cookie tells here that the owner is asking; `refresh_token` is not affected.
    """
    match request.grant_type:
        case "":
            raise InvalidTokenRequest("grant_type")
        case "password":
            opened = await _by_password(visitor, request, sign_ins, second_factors)
        case "refresh_token":
            opened = await _by_refresh_token(visitor, request, refreshes)
        case _:
            raise UnsupportedGrantType
    return session_tokens(opened)


@router.post("/revoke", operation_id="revoke_token", summary="End a token")
async def revoke_token(
    visitor: HoldingASecret, token: Annotated[StorableText, Form(max_length=5000)], sign_outs: SignOuts
) -> dict[str, str]:
    """A refresh token ends its session, an access token itself. What proves nothing is answered alike."""
    await sign_outs.revoke(visitor, token)
    return {}


async def _by_password(
    visitor: Visitor, request: TokenRequest, sign_ins: SignIns, second_factors: SecondFactorSignIns
) -> OpenedSession:
    for parameter in ("username", "password"):
        if not getattr(request, parameter):
            raise InvalidTokenRequest(parameter)
    try:
        admitted = await sign_ins.sign_in(
            visitor, request.username.strip().lower(), request.password, device_secret=KEEPS_NO_COOKIES
        )
        if isinstance(admitted, OpenedSession):
            return admitted
        if not request.otp:
            raise SecondFactorRequired(factors=list(admitted.factors))
        return await second_factors.complete_at_once(visitor, admitted.secret, request.otp)
    except (LoginFailed, SecondFactorFailed) as error:
        raise InvalidGrant from error


async def _by_refresh_token(visitor: Visitor, request: TokenRequest, refreshes: Refreshes) -> OpenedSession:
    if not request.refresh_token:
        raise InvalidTokenRequest("refresh_token")
    try:
        return await refreshes.refresh(visitor, request.refresh_token)
    except InvalidToken as error:
        raise InvalidGrant from error
