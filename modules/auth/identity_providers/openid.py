"""The authorization code flow with PKCE (OpenID Connect Core 1.0, section 3.1; RFC 7636), through Authlib's low-level
calls. The only file that knows Authlib.

Its session middleware is not used: what a flow must remember stands in our own row and cookie. Its `parse_id_token`
believes the algorithms of the provider's metadata, accepts an audience among others and trusts whatever token answer it
gets; here the algorithms are the configured ones, the audience is exactly this client, and the answer is bounded.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from authlib.integrations.base_client import BaseApp, OAuthError
from authlib.integrations.base_client.async_app import AsyncOAuth2Mixin
from authlib.integrations.base_client.async_openid import AsyncOpenIDMixin
from authlib.integrations.httpx_client import AsyncOAuth2Client
import httpx2

from modules.auth.identity_providers.bounded_http import AnswerRefused, BoundedTransport
from modules.auth.identity_providers.documents import RETRY_AFTER, Documents
from modules.auth.identity_providers.flow import AuthorizationAnswer, FlowSecrets, Refused
from modules.auth.identity_providers.provider import ProvenIdentity, Provider, UnbelievableClaims
from modules.auth.provider_errors import ProviderAnswerInvalid, ProviderRefused, ProviderUnavailable
from modules.shared import clock

_LEEWAY_SECONDS: Final = 60
_LONGEST_TOKEN: Final = 16 * 1024
_CLAIMS: Final = frozenset({"iss", "sub", "aud", "exp", "iat", "nbf", "nonce", "azp", "at_hash", "auth_time", "amr"})
_NETWORK_ERRORS: Final = (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, AnswerRefused)


class OpenIdClient:
    """Speaks with one provider."""

    def __init__(self, provider: Provider, transport: BoundedTransport, redirect_uri: str) -> None:
        self.provider = provider
        self._transport = transport
        self._redirect_uri = redirect_uri
        self._documents = Documents(provider, transport)
        self._further: Mapping[str, str] = {}

    async def authorization_url(self, secrets: FlowSecrets, *, confirm: bool = False) -> str:
        """Where to send the browser; with `confirm` the person shall prove themselves there anew, whatever session they
        have. Raises ProviderUnavailable.
        """
        further = {**self._further, **(self.provider.client.confirming if confirm else {})}
        app = self._app(await self._documents.metadata())
        begun = await app.create_authorization_url(
            self._redirect_uri, state=secrets.state, nonce=secrets.nonce, code_verifier=secrets.code_verifier, **further
        )
        return str(begun["url"])

    async def identify(
        self, secrets: FlowSecrets, answer: AuthorizationAnswer, begun_at: float, *, confirm: bool = False
    ) -> ProvenIdentity:
        """Who the person is; with `confirm`, unless the provider says that they proved themselves before `begun_at`.

        Raises Refused, with a ProviderRefused, ProviderAnswerInvalid or ProviderUnavailable.
        """
        identity, _ = await self._accept(secrets, answer, begun_at)
        proven_at = identity.authenticated_at
        if confirm and proven_at is not None and proven_at.timestamp() < begun_at - _LEEWAY_SECONDS:
            raise Refused(ProviderAnswerInvalid(), "auth_time")
        return identity

    async def _accept(
        self, secrets: FlowSecrets, answer: AuthorizationAnswer, begun_at: float
    ) -> tuple[ProvenIdentity, Mapping[str, Any]]:
        """Who the person is, and the whole answer of the token endpoint. Raises as `identify`."""
        metadata = await self._metadata()
        self._check_issuer(answer.issuer, metadata)
        if answer.error is not None or answer.code is None:
            raise Refused(ProviderRefused(), "error" if answer.error is not None else "no code")
        app = self._app(metadata)
        token = await self._redeem(app, answer.code, secrets.code_verifier)
        claims = await self._verify(app, token, secrets.nonce, begun_at)
        if answer.issuer is not None and answer.issuer != claims["iss"]:
            raise Refused(ProviderAnswerInvalid(), "iss of the answer")
        authenticated_at = _authenticated_at(claims)
        try:
            return replace(self.provider.identify(claims), authenticated_at=authenticated_at), token
        except UnbelievableClaims as error:
            raise Refused(ProviderAnswerInvalid(), str(error)) from error

    def _app(self, metadata: Mapping[str, Any]) -> "_App":
        return _App(self, metadata, self._documents, self._transport)

    async def _metadata(self) -> Mapping[str, Any]:
        try:
            return await self._documents.metadata()
        except ProviderUnavailable as error:
            raise Refused(error, "metadata") from error

    def _check_issuer(self, issuer: str | None, metadata: Mapping[str, Any]) -> None:
        """RFC 9207, section 2.4: before anything else of the answer is believed, errors included."""
        announced = metadata.get("authorization_response_iss_parameter_supported") is True
        if issuer is None and not announced:
            return
        if issuer is None or not self.provider.may_answer_as(issuer):
            raise Refused(ProviderAnswerInvalid(), "iss of the answer")

    async def _redeem(self, app: "_App", code: str, code_verifier: str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self.provider.client.timeout.total_seconds()):
                token = await app.fetch_access_token(self._redirect_uri, code=code, code_verifier=code_verifier)
        except OAuthError as error:
            raise Refused(ProviderAnswerInvalid(), "code") from error
        except (*_NETWORK_ERRORS, ValueError, RecursionError) as error:
            raise Refused(ProviderUnavailable(retry_after=RETRY_AFTER), "token endpoint") from error
        if not isinstance(token.get("id_token"), str) or len(token["id_token"]) > _LONGEST_TOKEN:
            raise Refused(ProviderAnswerInvalid(), "no id_token")
        return dict(token)

    async def _verify(self, app: "_App", token: dict[str, Any], nonce: str, begun_at: float) -> Mapping[str, Any]:
        essential: dict[str, dict[str, Any]] = {name: {"essential": True} for name in ("sub", "exp", "iat", "nonce")}
        client_id = self.provider.client.client_id
        options = {**essential, "iss": {"essential": True}, "aud": {"essential": True, "value": client_id}}
        try:
            # Authlib checks at_hash only when it chooses the class of the claims by itself.
            claims = await app.parse_id_token(token, nonce, claims_options=options, leeway=_LEEWAY_SECONDS)
            issuer = self.provider.issuer_of(claims)
        except ProviderUnavailable as error:
            raise Refused(error, "keys") from error
        except Exception as error:  # a hostile token has many ways to break its reader
            raise Refused(ProviderAnswerInvalid(), _reason(error)) from error
        if claims["iss"] != issuer:
            raise Refused(ProviderAnswerInvalid(), "iss")
        if claims["aud"] not in (client_id, [client_id]):
            raise Refused(ProviderAnswerInvalid(), "aud")
        if claims["iat"] < begun_at - _LEEWAY_SECONDS:
            raise Refused(ProviderAnswerInvalid(), "iat")
        return claims  # type: ignore[no-any-return]  # Authlib ships no types


class _App(AsyncOAuth2Mixin, AsyncOpenIDMixin, BaseApp):  # type: ignore[misc]  # Authlib ships no types
    """Authlib's client of one provider, for one flow: metadata and keys are ours."""

    client_cls = AsyncOAuth2Client

    def __init__(
        self, owner: OpenIdClient, metadata: Mapping[str, Any], documents: Documents, transport: BoundedTransport
    ) -> None:
        client = owner.provider.client
        self._documents = documents
        super().__init__(
            None,
            client_id=client.client_id,
            client_secret=client.client_secret or None,
            client_kwargs={
                "scope": client.scopes,
                "code_challenge_method": "S256",
                "token_endpoint_auth_method": client.token_auth,
                "transport": transport,
                "follow_redirects": False,
                "timeout": client.timeout.total_seconds(),
            },
            compliance_fix=_accept_only_an_answer,
            authorization_endpoint=metadata["authorization_endpoint"],
            token_endpoint=metadata["token_endpoint"],
            id_token_signing_alg_values_supported=list(client.algorithms),
        )

    async def refresh(self, refresh_token: str) -> Mapping[str, Any]:
        """The token endpoint's answer to a refresh token (RFC 6749, section 6). Asks for no scopes: those granted stay,
        which may be fewer than were asked for.
        """
        endpoint = (await self.load_server_metadata())["token_endpoint"]
        async with self._get_oauth_client() as client:
            client.register_compliance_hook("refresh_token_response", _refuse_all_but_json)
            return dict(await client.refresh_token(endpoint, refresh_token=refresh_token, scope=None))

    async def revoke(self, endpoint: str, token: str, kind: str) -> httpx2.Response:
        """The answer of the revocation endpoint (RFC 7009). The client shows itself as to the token endpoint."""
        async with self._get_oauth_client() as client:
            shown = client.client_auth(client.token_endpoint_auth_method)
            answer: httpx2.Response = await client.revoke_token(endpoint, token, token_type_hint=kind, auth=shown)
            return answer

    async def fetch_jwk_set(self, force: bool = False) -> Mapping[str, Any]:  # noqa: FBT001, FBT002  # Authlib calls it
        """The keys as we keep them; `force` when the token names one we have not seen."""
        return await self._documents.keys(anew=force)


def _accept_only_an_answer(session: AsyncOAuth2Client) -> None:
    session.register_compliance_hook("access_token_response", _refuse_all_but_json)


def _refuse_all_but_json(answer: httpx2.Response) -> httpx2.Response:
    """RFC 6749, sections 5.1 and 5.2: 200, or 400 and 401 with an error. A redirect may carry a token in its body."""
    if answer.status_code not in {200, 400, 401}:
        raise AnswerRefused(f"status {answer.status_code}")
    return answer


def _authenticated_at(claims: Mapping[str, Any]) -> datetime | None:
    """When the person proved themselves to the provider (`auth_time`), if it says so. Raises Refused."""
    told, now = claims.get("auth_time"), clock.now()
    if told is None:
        return None
    if type(told) not in {int, float} or not 0 <= told <= now.timestamp() + _LEEWAY_SECONDS:
        raise Refused(ProviderAnswerInvalid(), "auth_time")
    return min(datetime.fromtimestamp(told, UTC), now)


def _reason(error: Exception) -> str:
    """What is wrong with an ID token, in words of ours: an error's own text may quote the token."""
    claim = getattr(error, "claim", None)
    return f"id_token: {type(error).__name__}" + (f" {claim}" if claim in _CLAIMS else "")
