"""`/auth/password-reset` and `/users/me/password`: new passwords."""

from fastapi import APIRouter
from starlette.requests import Request

from modules.auth.endpoints.browser import Cookies
from modules.auth.endpoints.signatures import AskingForMail, HoldingASecret, PasswordChanges, SignedInPerson
from modules.auth.schemas.accounts import Accepted, AddressRequest, PasswordChange, PasswordResetConfirm
from modules.shared.i18n import Text, negotiate_language

router = APIRouter(tags=["auth"])

_IF_THERE_IS_AN_ACCOUNT = Text(
    en="If this address has an account, a link is on its way.",
    de="Wenn diese Adresse ein Konto hat, ist ein Link unterwegs.",
)


@router.post(
    "/auth/password-reset", status_code=202, operation_id="ask_password_reset", summary="Ask for a new password"
)
async def ask_password_reset(
    visitor: AskingForMail, address: AddressRequest, passwords: PasswordChanges, cookies: Cookies, request: Request
) -> Accepted:
    """Sends a link to the address if it has an account. The answer is the same if not."""
    await passwords.ask_reset(visitor, address.email, device_secret=cookies.device)
    return Accepted(message=_IF_THERE_IS_AN_ACCOUNT.in_(negotiate_language(request.headers.get("accept-language"))))


@router.post(
    "/auth/password-reset/confirm",
    status_code=204,
    operation_id="confirm_password_reset",
    summary="Choose the new password",
)
async def confirm_password_reset(
    visitor: HoldingASecret, confirmation: PasswordResetConfirm, passwords: PasswordChanges
) -> None:
    """Uses the link up. Every session ends; sign in with the new password."""
    await passwords.reset(visitor, confirmation.token, confirmation.password)


@router.post("/users/me/password", status_code=204, operation_id="change_password", summary="Change my password")
async def change_password(caller: SignedInPerson, change: PasswordChange, passwords: PasswordChanges) -> None:
    """Needs a recent sign-in. All other sessions end."""
    await passwords.change(caller, change.password)
