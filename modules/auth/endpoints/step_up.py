"""`/auth/second-factor` and `/auth/step-up`: showing one factor more, to get in or to be believed once again."""

from fastapi import APIRouter, Response

from modules.auth.endpoints.browser import Cookies, came_by_cookie, forget_pending, keep_session
from modules.auth.endpoints.sign_in import session_tokens, signed_in
from modules.auth.endpoints.signatures import (
    UNPROVEN,
    HoldingASecret,
    Names,
    SecondFactorSignIns,
    SignedInPerson,
    StepUps,
    Verifier,
)
from modules.auth.endpoints.waiting import Waiting
from modules.auth.schemas.factors import PasskeyOptions, SecondFactorRequest, StepUpRequest
from modules.auth.schemas.sessions import SignedIn, SteppedUp
from modules.auth.service.shown_factors import ShownFactor

router = APIRouter(prefix="/auth", tags=["auth"])


@router.post(
    "/second-factor/passkey-options",
    operation_id="begin_second_factor_passkey",
    summary="Ask for a passkey to complete the sign-in",
    responses=UNPROVEN,
)
async def begin_second_factor_passkey(
    visitor: HoldingASecret, second_factors: SecondFactorSignIns, cookies: Cookies
) -> PasskeyOptions:
    """For the browser that is half signed in. The challenge counts once, for five minutes."""
    return PasskeyOptions(public_key=await second_factors.ask_for_passkey(visitor, cookies.pending))


@router.post("/second-factor", operation_id="show_second_factor", summary="Complete the sign-in", responses=UNPROVEN)
async def show_second_factor(
    visitor: HoldingASecret,
    shown: SecondFactorRequest,
    second_factors: SecondFactorSignIns,
    cookies: Cookies,
    names: Names,
    waiting: Waiting,
    response: Response,
) -> SignedIn:
    """Opens the session that the first proof asked for. Five tries, then the sign-in begins anew."""
    opened = await second_factors.complete(visitor, cookies.pending, _shown(shown), device_secret=cookies.device)
    await waiting.is_for(visitor, opened)
    keep_session(response, names, opened)
    forget_pending(response, names)
    return signed_in(opened)


@router.post(
    "/step-up/passkey-options", operation_id="begin_step_up_passkey", summary="Ask for a passkey to confirm it is you"
)
async def begin_step_up_passkey(caller: SignedInPerson, step_ups: StepUps) -> PasskeyOptions:
    """The challenge counts once, for five minutes, in this session."""
    return PasskeyOptions(public_key=await step_ups.ask_for_passkey(caller))


@router.post("/step-up", operation_id="step_up", summary="Confirm that it is you")
async def step_up(
    caller: SignedInPerson,
    proof: StepUpRequest,
    step_ups: StepUps,
    cookies: Cookies,
    names: Names,
    verifier: Verifier,
    response: Response,
) -> SteppedUp:
    """A new session, freshly signed in, takes the place of this one. Its tokens come the way the request's came.

    Whoever has none of these signs in anew.
    """
    if proof.password is not None:
        opened = await step_ups.by_password(caller, proof.password, device_secret=cookies.device)
    else:
        opened = await step_ups.by_factor(caller, _shown(proof), device_secret=cookies.device)
    if came_by_cookie(caller, cookies, verifier):
        keep_session(response, names, opened)
        return SteppedUp(**dict(signed_in(opened)), tokens=None)
    return SteppedUp(**dict(signed_in(opened)), tokens=session_tokens(opened))


def _shown(request: SecondFactorRequest) -> ShownFactor:
    passkey = request.passkey.model_dump() if request.passkey else None
    return ShownFactor(request.totp, request.backup_code, passkey)
