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
    """What the sign-in page offers; in single-user mode nothing, for nobody has to sign in. A mandate may accept less:
    its login policy stands in `GET /context`.
    """
    single_user = settings.mode == "single"
    language = negotiate_language(request.headers.get("accept-language"))
    first = await accounts.needs_first_account(visitor.db)
    return MethodsRead(
        single_user=single_user,
        product=installation.name,
        methods=[] if single_user else methods.list_methods(language),
        second_factors=[] if single_user else methods.second_factors,
        registration="closed" if single_user else settings.registration,
        password_minimum_length=settings.password_minimum_length,
        needs_first_account=first,
        set_up_code_required=first and accounts.needs_set_up_code,
    )
