"""Making tokens: every one gets a row first, so that it can be found and ended."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.keys import KeyRing
from modules.auth.models import AccessToken, UserSession
from modules.auth.repository import keys as key_repository
from modules.auth.schemas.accounts import UserRead
from modules.auth.schemas.sessions import SessionRead
from modules.auth.settings import AuthSettings
from modules.auth.signed_tokens import AccessTokenClaims, SignedTokens
from modules.shared.ids import SessionId, TokenId, UserId, new_id


@dataclass(frozen=True, slots=True)
class IssuedTokens:
    """The two tokens of a session, as the client gets them."""

    access: str
    access_expires_at: datetime
    refresh: str
    refresh_expires_at: datetime


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A session with new tokens. `device_secret` is what to keep in a browser that was not known before."""

    user: UserRead
    session: SessionRead
    tokens: IssuedTokens
    device_secret: str | None = None


class Keys(Protocol):
    """The key ring of this process, and the way to a newer one."""

    ring: KeyRing

    async def reload(self, *, wanted: int | None) -> None:
        """Load the ring again unless it has the number `wanted`."""
        ...


class TokenIssuer:
    """Issues access tokens, and hands out the ring that signs refresh tokens."""

    def __init__(self, keys: Keys, tokens: SignedTokens, settings: AuthSettings) -> None:
        self._keys = keys
        self._tokens = tokens
        self._lifetime = settings.access_token_lifetime

    async def ring(self, session: AsyncSession) -> KeyRing:
        """The ring in force. Public routes run no authorisation statement, so they ask for its number themselves."""
        number = await key_repository.key_set_number(session)
        if number != self._keys.ring.number:
            await self._keys.reload(wanted=number)
        return self._keys.ring

    def issue(self, db: AsyncSession, session: UserSession, ver: int, now: datetime) -> tuple[str, datetime]:
        """An access token of the session's present generation, and when it expires. Call `ring` before."""
        expires_at = min(now + self._lifetime, session.expires_at)
        record = AccessToken(
            id=new_id(),
            session_id=session.id,
            user_id=session.user_id,
            authority=session.authority,
            generation=session.generation,
            issued_at=now,
            expires_at=expires_at,
        )
        db.add(record)
        claims = AccessTokenClaims(
            user_id=UserId(session.user_id),
            session_id=SessionId(session.id),
            token_id=TokenId(record.id),
            issued_at=int(now.timestamp()),
            expires_at=int(expires_at.timestamp()),
            auth_time=int(session.authenticated_at.timestamp()),
            amr=tuple(session.amr),
            ver=ver,
        )
        return self._tokens.issue(claims), expires_at
