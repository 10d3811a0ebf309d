"""What one sign-in with a provider consists of, whatever the library that speaks the protocol: what it is begun with,
what comes back, and why it is refused.
"""

from dataclasses import dataclass, field
from typing import Protocol

from modules.auth.identity_providers.provider import ProvenIdentity, Provider
from modules.shared.errors import DomainError


@dataclass(frozen=True, slots=True)
class FlowSecrets:
    """What a flow is begun with, and its end must fit to."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AuthorizationAnswer:
    """What the browser brought back. `issuer` is the `iss` of RFC 9207."""

    code: str | None = field(repr=False)
    error: str | None
    issuer: str | None


class Refused(Exception):
    """A check failed. `reason` names it for the operator; the person is told no more than `refusal`."""

    def __init__(self, refusal: DomainError, reason: str) -> None:
        super().__init__(reason)
        self.refusal = refusal
        self.reason = reason


class ProviderClient(Protocol):
    """Speaks with one provider."""

    provider: Provider

    async def authorization_url(self, secrets: FlowSecrets, *, confirm: bool = False) -> str:
        """Where to send the browser; with `confirm` the person shall prove themselves there anew, whatever session they
        have. Raises ProviderUnavailable.
        """
        ...

    async def identify(
        self, secrets: FlowSecrets, answer: AuthorizationAnswer, begun_at: float, *, confirm: bool = False
    ) -> ProvenIdentity:
        """Who the person is; with `confirm`, unless the provider says that they proved themselves before `begun_at`.

        Raises Refused, with a ProviderRefused, ProviderAnswerInvalid or ProviderUnavailable.
        """
        ...
