"""The services for programs: API keys, questions about tokens, and tickets."""

from gateway.settings import Settings
from modules.audit.service import AuditLog
from modules.auth.service.api_keys import ApiKeyService
from modules.auth.service.introspection import IntrospectionService
from modules.auth.service.issuing import TokenIssuer
from modules.auth.service.limits import AuthLimits
from modules.auth.service.tickets import TicketService
from modules.auth.signed_tokens import SignedTokens
from modules.mandates.service.mandates import MandateService
from modules.shared.catalogue import ItemCatalogue
from modules.shared.database import Database
from modules.shared.services import Services


def add_programs(settings: Settings, services: Services) -> None:
    """Offer them; identity and mandates are there already."""
    catalogue, mandates = services.get(ItemCatalogue), services.get(MandateService)
    services.add(ApiKeyService(catalogue, mandates, services.get(AuditLog), settings.auth))
    issuer, tokens, limits = services.get(TokenIssuer), services.get(SignedTokens), services.get(AuthLimits)
    services.add(IntrospectionService(issuer, tokens, limits, settings.auth))
    services.add(TicketService(services.get(Database)))
