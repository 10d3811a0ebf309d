"""The providers people sign in with, and what becomes of those who come back."""

from collections.abc import Iterator
from contextlib import AsyncExitStack

from gateway.settings import Settings
from modules.audit.service import AuditLog, RefusalLog
from modules.auth.identity_providers.flow import ProviderClient
from modules.auth.identity_providers.provider import AnyOpenId, Google, Microsoft, Provider
from modules.auth.service.accounts import AccountService
from modules.auth.service.entrance import Entrance
from modules.auth.service.identities import IdentityService
from modules.auth.service.limits import AuthLimits
from modules.auth.service.provider_flows import ProviderFlows
from modules.auth.service.provider_sign_in import ProviderSignIn
from modules.auth.service.registration_policy import RegistrationPolicy
from modules.auth.service.sign_in_methods import SignInMethod, SignInMethods
from modules.shared.database import Database
from modules.shared.i18n import Text
from modules.shared.services import Services

_PATH = "/api/v1/auth"


def add_providers(settings: Settings, services: Services, stack: AsyncExitStack) -> None:
    """Offer the configured ones; in single-user mode none, for nobody signs in."""
    database, auth, methods = services.get(Database), settings.auth, services.get(SignInMethods)
    providers = list(_providers(settings)) if auth.mode == "multi" else []
    flows = ProviderFlows(database, _clients(providers, settings.http.public_url, stack))
    audit = services.get(AuditLog)
    identities = services.add(IdentityService(flows, audit, auth, mailbox_signs_in=auth.magic_link))
    services.add(
        ProviderSignIn(
            database,
            flows,
            identities,
            services.get(AccountService),
            services.get(RegistrationPolicy),
            services.get(Entrance),
            services.get(AuthLimits),
            services.get(RefusalLog),
            auth,
        )
    )
    for provider in providers:
        name, label = provider.client.authority, Text(en=provider.label, de=provider.label)
        methods.offer(SignInMethod(name, "provider", label, f"{_PATH}/{name}/login"))


def _providers(settings: Settings) -> Iterator[Provider]:
    if settings.google.client_id:
        yield Google(settings.google)
    if settings.microsoft.client_id:
        yield Microsoft(settings.microsoft)
    for name, section in settings.oidc.items():
        yield AnyOpenId(name, section)


def _clients(providers: list[Provider], public_url: str, stack: AsyncExitStack) -> dict[str, ProviderClient]:
    if not providers:
        return {}
    # An installation without providers never loads Authlib and its HTTP client.
    from modules.auth.identity_providers.bounded_http import BoundedTransport  # noqa: PLC0415
    from modules.auth.identity_providers.openid import OpenIdClient  # noqa: PLC0415

    transport = BoundedTransport()
    stack.push_async_callback(transport.disconnect)
    return {
        each.client.authority: OpenIdClient(each, transport, f"{public_url}{_PATH}/{each.client.authority}/callback")
        for each in providers
    }
