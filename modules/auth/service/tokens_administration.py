"""Every issued token, found and ended by holders of the flag."""

from uuid import UUID

from modules.audit.service import AuditLog, Subject
from modules.auth.errors import TokenNotFound, TokenSearchTooWide
from modules.auth.repository import sessions as session_repository
from modules.auth.repository import token_search
from modules.auth.repository.token_search import TokenFilter
from modules.auth.schemas.administration import TokenRead
from modules.auth.service.recent import demand_recent
from modules.auth.settings import AuthSettings
from modules.shared import clock
from modules.shared.context import Caller
from modules.shared.ids import SessionId, TokenId, UserId
from modules.shared.pagination import Page, PageQuery


class TokensAdministration:
    """Looks through the tokens of the whole installation."""

    def __init__(self, audit: AuditLog, settings: AuthSettings) -> None:
        self._audit = audit
        self._settings = settings

    async def find(
        self, caller: Caller, query: PageQuery, *, user_id: UUID | None, session_id: UUID | None, purpose: str | None
    ) -> Page[TokenRead]:
        """A page of the tokens of a user or a session, the newest first. Raises TokenSearchTooWide without either."""
        if user_id is None and session_id is None:
            raise TokenSearchTooWide(pointer="user_id")
        wanted = TokenFilter(user_id, session_id, purpose)
        rows, cursor = await token_search.read_tokens(caller.db, wanted, query)
        return Page(items=[TokenRead.model_validate(row) for row in rows], next_cursor=cursor)

    async def revoke(self, caller: Caller, token_id: TokenId) -> None:
        """End a token; a refresh token ends with its session. Raises StepUpRequired, TokenNotFound."""
        await demand_recent(caller, self._settings.recent_login)
        now = clock.now()
        found = await token_search.find(caller.db, token_id)
        if found is None:
            raise TokenNotFound
        if found.purpose == "refresh" and found.session_id is not None:
            await session_repository.revoke(caller.db, [SessionId(found.session_id)], "ended_by_operator", now)
        else:
            await token_search.revoke(caller.db, token_id, now)
        self._audit.record(
            caller.db,
            "token_revoked",
            by=caller,
            subject=Subject(f"{found.purpose}_token", token_id),
            details={"user_id": str(UserId(found.user_id))} if found.user_id else {},
        )
