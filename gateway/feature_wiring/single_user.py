"""The services of single-user mode. They stand in every installation: one that is in the mode must not start in
another.
"""

from gateway.settings import Settings
from modules.audit.service import AuditLog
from modules.auth.dependencies import LocalCredential
from modules.auth.passwords import Passwords
from modules.auth.service.accounts import AccountService
from modules.auth.service.issuing import TokenIssuer
from modules.auth.service.local_user import LocalUserService
from modules.auth.signed_tokens import SignedTokens
from modules.mandates.service.beginnings import MandateBeginnings, RegistrationHome
from modules.shared.database import Database
from modules.shared.services import Services


def add_local_user(settings: Settings, services: Services) -> None:
    """Offer them."""
    local = LocalUserService(
        services.get(Database),
        services.get(AccountService),
        RegistrationHome(services.get(MandateBeginnings), "personal"),
        services.get(TokenIssuer),
        services.get(Passwords),
        services.get(AuditLog),
        settings.auth,
    )
    services.add(local)


def local_credential(settings: Settings, services: Services) -> LocalCredential | None:
    """What stands for whoever connects; None where people sign in."""
    auth = settings.auth
    if auth.mode != "single":
        return None
    fresh_for = min(auth.access_token_lifetime, auth.recent_login) / 2
    return LocalCredential(services.get(LocalUserService), services.get(SignedTokens), fresh_for)
