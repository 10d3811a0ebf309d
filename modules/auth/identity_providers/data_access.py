"""Access to a person's data at a provider: the tokens an authorization gives, new ones for old, and their end.

The same flow as a sign-in, with scopes and a redirect URI of its own; the ID token only says whose account it is.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
import json
from typing import Any, Final

from authlib.integrations.base_client import OAuthError
import httpx2

from modules.auth.identity_providers.bounded_http import AnswerRefused, BoundedTransport
from modules.auth.identity_providers.data_flow import AccessEnded, GivenTokens, RevocationRefused
from modules.auth.identity_providers.documents import RETRY_AFTER
from modules.auth.identity_providers.flow import AuthorizationAnswer, FlowSecrets, Refused
from modules.auth.identity_providers.openid import OpenIdClient
from modules.auth.identity_providers.provider import GOOGLE, ProvenIdentity, Provider
from modules.auth.provider_errors import ProviderAnswerInvalid, ProviderUnavailable
from modules.shared.settings import is_private_transport

_LONGEST_TOKEN: Final = 16 * 1024
_LONGEST_SCOPES: Final = 4 * 1024
_UNTOLD_LIFETIME: Final = timedelta(minutes=5)
"""How long an access token counts as good whose provider does not say."""
_LONGEST_LIFETIME: Final = timedelta(days=30)
_ENDED: Final = frozenset({"invalid_grant", "interaction_required", "consent_required", "login_required"})
_OFFLINE: Final = "offline_access"


@dataclass(frozen=True, slots=True)
class DataClientSettings:
    """What differs from the client that signs people in. Without `client_id` it is the same."""

    scopes: str
    client_id: str
    client_secret: str = field(repr=False)


class OpenIdDataClient(OpenIdClient):
    """Asks one provider for access to data."""

    def __init__(self, provider: Provider, transport: BoundedTransport, redirect_uri: str) -> None:
        super().__init__(provider, transport, redirect_uri)
        asks_for_consent = {"prompt": "consent"}
        if provider.client.authority == GOOGLE:  # gives a refresh token only when asked so, and only with consent
            self._further = {**asks_for_consent, "access_type": "offline"}
        else:  # OpenID Connect Core 1.0, section 11
            self._further = asks_for_consent if _OFFLINE in provider.client.scopes.split() else {}

    async def accept(
        self, secrets: FlowSecrets, answer: AuthorizationAnswer, begun_at: float
    ) -> tuple[ProvenIdentity, GivenTokens]:
        """Whose account it is, and the tokens. Raises Refused as `identify` does."""
        identity, given = await self._accept(secrets, answer, begun_at)
        try:
            return identity, _read(given)
        except ValueError as error:
            raise Refused(ProviderAnswerInvalid(), str(error)) from error

    async def refresh(self, refresh_token: str) -> GivenTokens:
        """New tokens for old. Raises AccessEnded, ProviderUnavailable: then the old ones may still be good."""
        metadata = await self._documents.metadata()
        try:
            async with asyncio.timeout(self._seconds):
                return _read(await self._app(metadata).refresh(refresh_token))
        except OAuthError as error:
            if error.error in _ENDED:
                raise AccessEnded from error
            raise ProviderUnavailable(retry_after=RETRY_AFTER) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, AnswerRefused, ValueError, RecursionError) as error:
            raise ProviderUnavailable(retry_after=RETRY_AFTER) from error

    async def revoke(self, access: str, refresh: str | None) -> None:
        """End the permission at the provider (RFC 7009): by the refresh token, with which access tokens end, or by the
        access token where there is no other. A provider without an endpoint for it is left alone.

        Raises ProviderUnavailable, RevocationRefused.
        """
        metadata = await self._documents.metadata()
        endpoint = metadata.get("revocation_endpoint")
        if not isinstance(endpoint, str):
            return
        local = self.provider.client.metadata_url.startswith("http:")
        if not (endpoint.startswith("https://") or (local and is_private_transport(endpoint))):
            raise RevocationRefused("endpoint")
        token, kind = (access, "access_token") if refresh is None else (refresh, "refresh_token")
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._app(metadata).revoke(endpoint, token, kind)
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, AnswerRefused) as error:
            raise ProviderUnavailable(retry_after=RETRY_AFTER) from error
        if answer.status_code == httpx2.codes.OK or _error_in(answer) in {"invalid_token", "invalid_grant"}:
            return
        if answer.status_code < httpx2.codes.INTERNAL_SERVER_ERROR:
            raise RevocationRefused(str(answer.status_code))
        raise ProviderUnavailable(retry_after=RETRY_AFTER)

    @property
    def _seconds(self) -> float:
        return self.provider.client.timeout.total_seconds()


def for_data(provider: Provider, chosen: DataClientSettings) -> Provider:
    """The provider, with the client and the scopes of data connections; `provider` is changed."""
    client = provider.client
    if chosen.client_id:
        is_public = client.token_auth == "none"  # noqa: S105  # the name of a method
        token_auth = "client_secret_basic" if is_public else client.token_auth
        client = replace(
            client,
            client_id=chosen.client_id,
            client_secret=chosen.client_secret,
            token_auth=token_auth if chosen.client_secret else "none",
        )
    provider.client = replace(client, scopes=chosen.scopes)
    return provider


def _read(given: Mapping[str, Any]) -> GivenTokens:
    """Raises ValueError, in words of ours, for what is no bearer token (RFC 6749, section 5.1; RFC 6750)."""
    if str(given.get("token_type", "")).lower() != "bearer":
        raise ValueError("token_type")
    scopes = given.get("scope")
    if scopes is not None and not (isinstance(scopes, str) and len(scopes) <= _LONGEST_SCOPES and scopes.isprintable()):
        raise ValueError("scope")
    refresh = given.get("refresh_token")
    return GivenTokens(
        _token(given.get("access_token")),
        None if refresh is None else _token(refresh),
        _lifetime(given.get("expires_in")),
        tuple(scopes.split()) if scopes else None,
    )


def _token(value: object) -> str:
    if not (isinstance(value, str) and 0 < len(value) <= _LONGEST_TOKEN and value.isascii() and value.isprintable()):
        raise ValueError("token")
    return value


def _lifetime(value: object) -> timedelta:
    """Some write the number as a word."""
    if value is None:
        return _UNTOLD_LIFETIME
    seconds = int(value) if isinstance(value, int | str) and str(value).isdecimal() and len(str(value)) < 12 else -1
    if seconds < 0:
        raise ValueError("expires_in")
    return min(timedelta(seconds=seconds), _LONGEST_LIFETIME)


def _error_in(answer: httpx2.Response) -> str | None:
    try:
        told = json.loads(answer.content)
    except (ValueError, RecursionError):
        return None
    error = told.get("error") if isinstance(told, dict) else None
    return error if isinstance(error, str) else None
