"""Signing out: whoever shows a token of a session may end it, and doing it twice is doing it once."""

from modules.audit.service import AuditLog, Subject
from modules.auth.errors import InvalidToken
from modules.auth.repository import access_tokens
from modules.auth.repository import sessions as repository
from modules.auth.service.issuing import TokenIssuer
from modules.auth.service.refresh_tokens import is_genuine, parse_refresh_token
from modules.auth.signed_tokens import AccessTokenClaims, SignedTokens
from modules.shared import clock
from modules.shared.context import Visitor
from modules.shared.ids import SessionId, UserId


class SignOutService:
    """Ends what the presented tokens belong to."""

    def __init__(self, issuer: TokenIssuer, tokens: SignedTokens, audit: AuditLog) -> None:
        self._issuer = issuer
        self._tokens = tokens
        self._audit = audit

    async def sign_out(self, visitor: Visitor, *, access: str | None, refresh: str | None) -> None:
        """End the session of either token. Tokens that prove nothing end nothing, silently."""
        claims = await self._claims(visitor, access) if access else None
        found = [claims.session_id] if claims else []
        by_refresh = await self._session_of(visitor, refresh) if refresh else None
        if by_refresh is not None and by_refresh not in found:
            found.append(by_refresh)
        for session in await repository.revoke(visitor.db, found, "logout", clock.now()):
            subject = Subject("session", session.id)
            self._audit.record(visitor.db, "logout", by=visitor, user_id=UserId(session.user_id), subject=subject)

    async def revoke(self, visitor: Visitor, token: str) -> None:
        """RFC 7009: a refresh token ends its session, an access token itself; anything else is no error."""
        if token.count(".") == 2 and parse_refresh_token(token) is not None:
            await self.sign_out(visitor, access=None, refresh=token)
            return
        claims = await self._claims(visitor, token)
        if claims is not None and await access_tokens.revoke(visitor.db, claims.token_id, clock.now()):
            subject = Subject("access_token", claims.token_id)
            self._audit.record(visitor.db, "token_revoked", by=visitor, user_id=claims.user_id, subject=subject)

    async def _claims(self, visitor: Visitor, token: str) -> AccessTokenClaims | None:
        await self._issuer.ring(visitor.db)
        try:
            return self._tokens.verify(token)
        except InvalidToken:
            return None

    async def _session_of(self, visitor: Visitor, text: str) -> SessionId | None:
        token = parse_refresh_token(text)
        if token is None:
            return None
        if is_genuine(await self._issuer.ring(visitor.db), token):
            return token.session_id
        stored = await repository.find_refresh_token(visitor.db, token.session_id)
        known = (stored.secret_hash, stored.parent_hash) if stored else ()
        return token.session_id if token.secret_hash in known else None
