"""Data connections: the providers people may connect accounts of, and what is done with them."""

from collections.abc import Iterator
from contextlib import AsyncExitStack

from gateway.settings import Settings
from modules.audit.service import AuditLog, RefusalLog
from modules.auth.identity_providers.data_flow import DataClient
from modules.auth.identity_providers.provider import GOOGLE, MICROSOFT, AnyOpenId, Google, Microsoft, Provider
from modules.auth.sealing import MasterKey
from modules.auth.service.issued_tokens import IssuedTokens
from modules.auth.service.limits import AuthLimits
from modules.auth.service.provider_flows import CONNECTION_FLOW, ProviderFlows
from modules.connections.sealing import TokenSeals
from modules.connections.service.access_tokens import Connections
from modules.connections.service.connecting import Connecting
from modules.connections.service.endings import ConnectionEndings
from modules.connections.service.mails import ConnectionMails
from modules.connections.service.owned import OwnedConnections
from modules.shared.database import Database
from modules.shared.mail import Mailer
from modules.shared.services import Services

_PATH = "/api/v1/connections"


def add_connections(settings: Settings, services: Services, stack: AsyncExitStack) -> None:
    """Offer them; without any configured there is nothing to connect."""
    database, audit = services.get(Database), services.get(AuditLog)
    clients = _clients(settings, stack)
    seals, tokens = TokenSeals(services.get(MasterKey)), IssuedTokens()
    flows = ProviderFlows(database, clients, CONNECTION_FLOW)
    limits, refusals = services.get(AuthLimits), services.get(RefusalLog)
    services.add(Connecting(database, flows, clients, seals, tokens, limits, audit, refusals))
    services.add(OwnedConnections(clients, audit))
    connections = services.add(Connections(database, clients, seals, tokens, audit))
    stack.push_async_callback(connections.settle)
    services.add(ConnectionEndings(database, clients, seals, audit))
    mailer: Mailer = services.get(Mailer)  # type: ignore[type-abstract]  # offered under the protocol
    product, public_url = settings.installation.name, settings.http.public_url
    services.add(ConnectionMails(mailer, clients, product=product, public_url=public_url))


def _clients(settings: Settings, stack: AsyncExitStack) -> dict[str, DataClient]:
    if not settings.connections:
        return {}
    # An installation without providers never loads Authlib and its HTTP client.
    from modules.auth.identity_providers.bounded_http import BoundedTransport  # noqa: PLC0415
    from modules.auth.identity_providers.data_access import (  # noqa: PLC0415
        DataClientSettings,
        OpenIdDataClient,
        for_data,
    )

    transport = BoundedTransport()
    stack.push_async_callback(transport.disconnect)
    clients: dict[str, DataClient] = {}
    for name, provider in _providers(settings):
        section = settings.connections[name]
        chosen = DataClientSettings(section.scopes, section.client_id, section.client_secret.get_secret_value())
        authority = provider.client.authority
        redirect_uri = f"{settings.http.public_url}{_PATH}/{authority}/callback"
        clients[authority] = OpenIdDataClient(for_data(provider, chosen), transport, redirect_uri)
    return clients


def _providers(settings: Settings) -> Iterator[tuple[str, Provider]]:
    """By the name of the section, each built anew: those that sign people in stay as they are."""
    for name in settings.connections:
        if name == GOOGLE:
            yield name, Google(settings.google)
        elif name == MICROSOFT:
            yield name, Microsoft(settings.microsoft)
        else:
            yield name, AnyOpenId(name, settings.oidc[name])
