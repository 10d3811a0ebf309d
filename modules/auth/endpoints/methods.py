"""`/auth/methods`: what a sign-in page draws."""

from fastapi import APIRouter
from starlette.requests import Request

from modules.auth.endpoints.signatures import (
    Accounts,
    LookingAround,
    Methods,
    SettingsOfAuth,
    SettingsOfInstallation,
)
from modules.auth.schemas.accounts import MethodsRead
from modules.shared.i18n import negotiate_language

router = APIRouter(prefix="/auth", tags=["auth"])


@router.get("/methods", operation_id="list_sign_in_methods", summary="How to sign in and register")
async def list_sign_in_methods(
    visitor: LookingAround,
    methods: Methods,
    accounts: Accounts,
    installation: SettingsOfInstallation,
    settings: SettingsOfAuth,
    request: Request,
) -> MethodsRead:
    """What the sign-in page offers. A mandate may accept less: its login policy stands in `GET /context`."""
    first = await accounts.needs_first_account(visitor.db)
    return MethodsRead(
        product=installation.name,
        methods=methods.list_methods(negotiate_language(request.headers.get("accept-language"))),
        second_factors=methods.second_factors,
        registration=settings.registration,
        password_minimum_length=settings.password_minimum_length,
        needs_first_account=first,
        set_up_code_required=first and accounts.needs_set_up_code,
    )
