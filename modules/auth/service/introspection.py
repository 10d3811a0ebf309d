"""What a token that was shown to a service stands for at this moment (RFC 7662).

The answer to everything that does not stand is the same: why is not said.
"""

from datetime import datetime
from typing import Final

from modules.auth.api_keys import PREFIX, read_api_key
from modules.auth.errors import InvalidToken
from modules.auth.models import Token
from modules.auth.repository import api_keys, standing
from modules.auth.repository import sessions as session_repository
from modules.auth.schemas.api_keys import Introspection
from modules.auth.service.issuing import TokenIssuer
from modules.auth.service.limits import AuthLimits
from modules.auth.service.refresh_tokens import parse_refresh_token
from modules.auth.settings import AuthSettings
from modules.auth.signed_tokens import SignedTokens
from modules.shared import clock
from modules.shared.context import Caller

_INACTIVE: Final = Introspection(active=False)


class IntrospectionService:
    """Answers services, which show an API key of their own."""

    def __init__(self, issuer: TokenIssuer, tokens: SignedTokens, limits: AuthLimits, settings: AuthSettings) -> None:
        self._issuer = issuer
        self._tokens = tokens
        self._limits = limits
        self._settings = settings

    async def introspect(self, caller: Caller, token: str) -> Introspection:
        """What the token stands for, as the database says now. Raises TooManyRequests."""
        await self._limits.introspection_by(caller.login.token_id)
        if token.startswith(PREFIX):
            return await self._api_key(caller, token)
        if parse_refresh_token(token) is not None:
            return await self._refresh_token(caller, token)
        return await self._access_token(caller, token)

    async def _access_token(self, caller: Caller, token: str) -> Introspection:
        await self._issuer.ring(caller.db)
        try:
            claims = self._tokens.verify(token)
        except InvalidToken:
            return _INACTIVE
        now = clock.now()
        record = await standing.find_access_token(caller.db, claims.token_id, now)
        found = await standing.find_session(caller.db, claims.session_id, now)
        if record is None or found is None or record.session_id != found.session.id or found.user.ver != claims.ver:
            return _INACTIVE
        return Introspection(
            active=True,
            token_type="access_token",  # noqa: S106  # the name of a kind of token
            sub=found.user.id,
            jti=record.id,
            sid=found.session.id,
            authority=found.session.authority,
            amr=found.session.amr,
            auth_time=_seconds(found.session.authenticated_at),
            iat=_seconds(record.issued_at),
            exp=_seconds(record.expires_at),
            iss=self._settings.issuer,
            aud=self._settings.audience,
        )

    async def _refresh_token(self, caller: Caller, token: str) -> Introspection:
        presented = parse_refresh_token(token)
        if presented is None:
            return _INACTIVE
        now = clock.now()
        stored = await session_repository.find_refresh_token(caller.db, presented.session_id)
        found = await standing.find_session(caller.db, presented.session_id, now)
        if stored is None or found is None or not _holds(stored, presented.secret_hash, now):
            return _INACTIVE
        if found.session.idle_expires_at <= now:
            return _INACTIVE
        return Introspection(
            active=True,
            token_type="refresh_token",  # noqa: S106  # the name of a kind of token
            sub=found.user.id,
            jti=stored.id,
            sid=found.session.id,
            authority=found.session.authority,
            amr=found.session.amr,
            auth_time=_seconds(found.session.authenticated_at),
            iat=_seconds(found.session.rotated_at),
            exp=_seconds(found.session.idle_expires_at),
            iss=self._settings.issuer,
        )

    async def _api_key(self, caller: Caller, token: str) -> Introspection:
        secret_hash = read_api_key(token)
        found = await api_keys.find_standing(caller.db, secret_hash, clock.now()) if secret_hash else None
        if found is None:
            return _INACTIVE
        return Introspection(
            active=True,
            token_type="api_key",  # noqa: S106  # the name of a kind of token
            sub=found.token.user_id,
            jti=found.token.id,
            scope=" ".join(found.key.scopes),
            mandate_id=found.key.bound_mandate_id,
            authority=found.token.authority,
            amr=found.key.amr,
            iat=_seconds(found.token.issued_at),
            exp=_seconds(found.token.expires_at),
            iss=self._settings.issuer,
        )


def _holds(stored: Token, secret_hash: bytes, now: datetime) -> bool:
    return stored.secret_hash == secret_hash and stored.revoked_at is None and stored.expires_at > now


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
