"""What a provider publishes about itself: its metadata (OpenID Connect Discovery 1.0) and its keys, each kept a while.

Keys change without notice: a token that names an unknown one has them loaded again, but not more often than once a
minute, or tokens with invented key ids would have every sign-in ask the provider twice. While a provider is away, what
was loaded before goes on serving, and everybody else is told at once instead of waiting as long as the first.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
import json
import time
from typing import Any, Final

import httpx2

from modules.auth.identity_providers.bounded_http import AnswerRefused, BoundedTransport
from modules.auth.identity_providers.provider import Provider
from modules.auth.provider_errors import ProviderUnavailable
from modules.shared.settings import is_private_transport

_FRESH_SECONDS: Final = 3600
RELOAD_SECONDS: Final = 60
"""At least so long between two loads for a key that is missing."""
_REMEMBERED_FAILURE_SECONDS: Final = 3
RETRY_AFTER: Final = 10
"""Seconds after which it is worth asking a provider again."""
_PUBLIC_KEY_TYPES: Final = frozenset({"RSA", "EC", "OKP"})
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Loaded:
    document: Document
    at: float


class _Kept:
    """One document, loaded when it is needed and not fresh. One asker loads, the others wait for the outcome."""

    def __init__(self, load: Callable[[], Awaitable[Document]]) -> None:
        self._load = load
        self._loaded: _Loaded | None = None
        self._failed_at = float("-inf")
        self._lock = asyncio.Lock()

    async def get(self, *, within: float = _FRESH_SECONDS) -> Document:
        """The document, loaded at most so many seconds ago, or an older one while the provider is away.

        Raises ProviderUnavailable.
        """
        async with self._lock:
            now = time.monotonic()
            if self._loaded is not None and now - self._loaded.at < within:
                return self._loaded.document
            if now - self._failed_at >= _REMEMBERED_FAILURE_SECONDS:
                try:
                    self._loaded = _Loaded(await self._load(), time.monotonic())
                    return self._loaded.document
                except ProviderUnavailable:
                    self._failed_at = time.monotonic()
            if self._loaded is None:
                raise ProviderUnavailable(retry_after=RETRY_AFTER)
            return self._loaded.document


class Documents:
    """The published documents of one provider."""

    def __init__(self, provider: Provider, transport: BoundedTransport) -> None:
        self._provider = provider
        self._transport = transport
        self._metadata = _Kept(self._load_metadata)
        self._keys = _Kept(self._load_keys)

    async def metadata(self) -> Document:
        """Where the provider's endpoints are. Raises ProviderUnavailable."""
        return await self._metadata.get()

    async def keys(self, *, anew: bool = False) -> Document:
        """The provider's public keys as a JWK set; `anew` when one is missing. Raises ProviderUnavailable."""
        return await self._keys.get(within=RELOAD_SECONDS if anew else _FRESH_SECONDS)

    async def _load_metadata(self) -> Document:
        metadata = await self._fetch(self._provider.client.metadata_url)
        if not self._provider.names_itself(metadata.get("issuer")):
            raise ProviderUnavailable(retry_after=RETRY_AFTER) from AnswerRefused("another issuer")
        local = self._provider.client.metadata_url.startswith("http:")
        for name in _ENDPOINTS:
            url = metadata.get(name)
            if not isinstance(url, str) or not (url.startswith("https://") or (local and is_private_transport(url))):
                raise ProviderUnavailable(retry_after=RETRY_AFTER) from AnswerRefused(name)
        return metadata

    async def _load_keys(self) -> Document:
        """Only public keys that sign: a set with a symmetric one must not let its readers sign."""
        found = (await self._fetch((await self.metadata())["jwks_uri"])).get("keys")
        keys = [key for key in found if isinstance(key, dict)] if isinstance(found, list) else []
        usable = [key for key in keys if key.get("kty") in _PUBLIC_KEY_TYPES and key.get("use", "sig") == "sig"]
        if not usable:
            raise ProviderUnavailable(retry_after=RETRY_AFTER) from AnswerRefused("no keys")
        return {"keys": usable}

    async def _fetch(self, url: str) -> dict[str, Any]:
        seconds = self._provider.client.timeout.total_seconds()
        try:
            async with (
                asyncio.timeout(seconds),
                httpx2.AsyncClient(transport=self._transport, follow_redirects=False, timeout=seconds) as client,
            ):
                answer = await client.get(url, headers={"Accept": "application/json"})
            document = json.loads(answer.content)
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, AnswerRefused, ValueError, RecursionError) as error:
            raise ProviderUnavailable(retry_after=RETRY_AFTER) from error
        if answer.status_code != httpx2.codes.OK or not isinstance(document, dict):
            raise ProviderUnavailable(retry_after=RETRY_AFTER) from AnswerRefused(f"status {answer.status_code}")
        return document
