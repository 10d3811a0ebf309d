"""What access to a person's data at a provider consists of, whatever the library that speaks the protocol."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from modules.auth.identity_providers.flow import AuthorizationAnswer, FlowSecrets, ProviderClient
from modules.auth.identity_providers.provider import ProvenIdentity


class AccessEnded(Exception):
    """The provider gives no tokens any more: the person took the permission back, or it ran out."""


class RevocationRefused(Exception):
    """The provider will not revoke, however often it is asked; the message is its status."""


@dataclass(frozen=True, slots=True)
class GivenTokens:
    """What a provider gave. `refresh` and `scopes` are None where it said nothing new."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    lifetime: timedelta
    scopes: tuple[str, ...] | None


class DataClient(ProviderClient, Protocol):
    """Asks one provider for access to data."""

    async def accept(
        self, secrets: FlowSecrets, answer: AuthorizationAnswer, begun_at: float
    ) -> tuple[ProvenIdentity, GivenTokens]:
        """Whose account it is, and the tokens. Raises Refused as `identify` does."""
        ...

    async def refresh(self, refresh_token: str) -> GivenTokens:
        """New tokens for old. Raises AccessEnded, ProviderUnavailable: then the old ones may still be good."""
        ...

    async def revoke(self, access: str, refresh: str | None) -> None:
        """End the permission at the provider. Raises ProviderUnavailable, RevocationRefused."""
        ...
