"""Refreshing a session: every refresh token has exactly one successor, and using an old one ends the session.

The successor is computed from the token presented, so two tabs that refresh at once, or a client whose answer was
lost, get the same one; the database keeps the hashes of the present and the former token. The former one is answered
again for a few seconds, and for longer while nobody has used what came of it. Anything else means that somebody has a
copy.
"""

from datetime import datetime

from modules.audit.service import AuditLog, Subject
from modules.auth.errors import InvalidToken
from modules.auth.keys import KeyPurpose, KeyRing, SigningKey
from modules.auth.repository import sessions as repository
from modules.auth.repository.sessions import RefreshRow
from modules.auth.schemas.accounts import UserRead
from modules.auth.service.issuing import IssuedTokens, OpenedSession, TokenIssuer
from modules.auth.service.limits import AuthLimits
from modules.auth.service.mail_texts import Notice
from modules.auth.service.mails import send_notice
from modules.auth.service.refresh_tokens import RefreshToken, is_genuine, next_refresh_token, parse_refresh_token
from modules.auth.service.sessions import read_session
from modules.auth.settings import AuthSettings
from modules.shared import clock
from modules.shared.context import Visitor
from modules.shared.database import Database
from modules.shared.ids import SessionId, UserId


class RefreshService:
    """Answers refresh tokens."""

    def __init__(
        self, database: Database, issuer: TokenIssuer, limits: AuthLimits, audit: AuditLog, settings: AuthSettings
    ) -> None:
        self._database = database
        self._issuer = issuer
        self._limits = limits
        self._audit = audit
        self._settings = settings

    async def refresh(self, visitor: Visitor, text: str) -> OpenedSession:
        """New tokens of the session, or the same ones again. Raises InvalidToken, TooManyRequests.

        One row lock orders parallel refreshes: the first makes the step, the others repeat its answer.
        """
        presented = parse_refresh_token(text)
        if presented is None:
            raise InvalidToken
        row = await repository.lock_for_refresh(visitor.db, presented.session_id)
        now = clock.now()
        if row is None or not _stands(row, now):
            raise InvalidToken
        ring = await self._issuer.ring(visitor.db)
        if presented.secret_hash == row.token.secret_hash:
            return await self._advance(visitor, row, presented, ring.signing(KeyPurpose.REFRESH), now)
        if presented.secret_hash == row.token.parent_hash and self._may_repeat(row, now):
            return await self._repeat(visitor, row, presented, ring, now)
        if presented.secret_hash == row.token.parent_hash or is_genuine(ring, presented):
            await self._end_reused(visitor, UserId(row.user.id), presented.session_id)
        raise InvalidToken

    def _may_repeat(self, row: RefreshRow, now: datetime) -> bool:
        """The former token again: two clients at once, or an answer that never arrived."""
        age = now - row.session.rotated_at
        unconfirmed = row.session.confirmed_generation < row.session.generation
        return age <= self._settings.refresh_grace or (unconfirmed and age <= self._settings.refresh_lost_answer_grace)

    async def _advance(
        self, visitor: Visitor, row: RefreshRow, presented: RefreshToken, key: SigningKey, now: datetime
    ) -> OpenedSession:
        await self._limits.refresh_step(presented.session_id)
        session, token = row.session, row.token
        following = next_refresh_token(key, presented, session.generation)
        token.parent_hash = token.secret_hash
        token.secret_hash = following.secret_hash
        token.payload = {"kid": key.kid}  # a repetition needs the very key of this step
        session.generation += 1
        session.rotated_at = session.last_seen_at = now
        session.idle_expires_at = min(now + self._settings.session_idle_lifetime, session.expires_at)
        return self._answer(visitor, row, following, now)

    async def _repeat(
        self, visitor: Visitor, row: RefreshRow, presented: RefreshToken, ring: KeyRing, now: datetime
    ) -> OpenedSession:
        """Writes nothing but the row of the access token."""
        await self._limits.refresh_replay(presented.session_id)
        key = ring.by_kid(row.token.payload["kid"])
        if key is None:
            raise InvalidToken
        following = next_refresh_token(key, presented, row.session.generation - 1)
        return self._answer(visitor, row, following, now)

    def _answer(self, visitor: Visitor, row: RefreshRow, refresh: RefreshToken, now: datetime) -> OpenedSession:
        access, expires_at = self._issuer.issue(visitor.db, row.session, row.user.ver, now)
        tokens = IssuedTokens(access, expires_at, str(refresh), row.session.idle_expires_at)
        return OpenedSession(UserRead.model_validate(row.user), read_session(row.session, row.session.id), tokens)

    async def _end_reused(self, visitor: Visitor, user_id: UserId, session_id: SessionId) -> None:
        """End this session only. The refusal rolls the request back, so its lock is given up and the end gets a
        transaction of its own.
        """
        await visitor.db.rollback()
        async with self._database.session() as session:
            if await repository.revoke(session, [session_id], "refresh_reuse", clock.now()):
                subject = Subject("session", session_id)
                self._audit.record(session, "refresh_reuse", by=visitor, user_id=user_id, subject=subject)
                await send_notice(session, user_id, Notice.REFRESH_REUSE)


def _stands(row: RefreshRow, now: datetime) -> bool:
    session = row.session
    ends_at = min(session.expires_at, session.idle_expires_at)
    return session.revoked_at is None and ends_at > now and row.user.state != "disabled"
