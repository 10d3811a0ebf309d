"""All tokens of the installation as one list: the partitioned access tokens and the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import DateTime, Row, Select, Text, Uuid, literal, null, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.models import AccessToken, Token, UserSession
from modules.shared.ids import TokenId
from modules.shared.pagination import Ordering, PageQuery, read_page

ACCESS: Final = "access"


@dataclass(frozen=True, slots=True)
class TokenFilter:
    """What is looked for; everything given must fit."""

    user_id: UUID | None = None
    session_id: UUID | None = None
    purpose: str | None = None


async def read_tokens(
    session: AsyncSession, wanted: TokenFilter, query: PageQuery
) -> tuple[Sequence[Row[Any]], str | None]:
    """A page of the tokens that fit, the newest first."""
    tokens = union_all(_others(wanted), _access(wanted)).subquery()
    ordering = Ordering("-issued_at", tokens.c.issued_at, tokens.c.id)
    return await read_page(session, select(tokens), ordering, query)


async def find(session: AsyncSession, token_id: TokenId) -> Row[Any] | None:
    """A token of whatever purpose."""
    tokens = union_all(_others(TokenFilter()), _access(TokenFilter())).subquery()
    return (await session.execute(select(tokens).where(tokens.c.id == token_id))).one_or_none()


async def revoke(session: AsyncSession, token_id: TokenId, now: datetime) -> None:
    """End a token that stands."""
    for table in (Token, AccessToken):
        statement = update(table).where(table.id == token_id, table.revoked_at.is_(None)).values(revoked_at=now)
        await session.execute(statement.execution_options(synchronize_session=False))


def _others(wanted: TokenFilter) -> Select[*tuple[Any, ...]]:
    columns = (Token.id, Token.purpose, Token.user_id, Token.session_id, Token.authority, Token.issued_at)
    statement = select(*columns, Token.expires_at, Token.used_at, Token.revoked_at)
    if wanted.purpose is not None:
        statement = statement.where(Token.purpose == wanted.purpose)
    return _of(statement, Token, wanted)


def _access(wanted: TokenFilter) -> Select[*tuple[Any, ...]]:
    statement = select(
        AccessToken.id,
        literal(ACCESS, Text).label("purpose"),
        AccessToken.user_id.cast(Uuid).label("user_id"),
        AccessToken.session_id.cast(Uuid).label("session_id"),
        AccessToken.authority,
        AccessToken.issued_at,
        AccessToken.expires_at,
        null().cast(DateTime(timezone=True)).label("used_at"),
        AccessToken.revoked_at,
    )
    if wanted.purpose not in {None, ACCESS}:
        statement = statement.where(literal(value=False))
    return _of(statement, AccessToken, wanted)


def _of(
    statement: Select[*tuple[Any, ...]], table: type[Token | AccessToken], wanted: TokenFilter
) -> Select[*tuple[Any, ...]]:
    if wanted.user_id is not None:
        own = select(UserSession.id).where(UserSession.user_id == wanted.user_id)
        # Access tokens are indexed by session only: they are many, and each index costs every request that issues one.
        mine = table.session_id.in_(own) if table is AccessToken else table.user_id == wanted.user_id
        statement = statement.where(mine)
    if wanted.session_id is not None:
        statement = statement.where(table.session_id == wanted.session_id)
    return statement
