"""Which factors people have set up."""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, CursorResult, any_, delete, exists, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.models import (
    ApiKey,
    BackupCode,
    Passkey,
    PasswordCredential,
    Token,
    TotpCredential,
    UserSession,
)
from modules.shared.ids import SessionId, UserId


class Factors(NamedTuple):
    """Which kinds of factor a user has set up; the fields are named as people's programs name them."""

    password: bool
    totp: bool
    passkey: bool
    backup_code: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Those that are set up."""
        return tuple(name for name, is_set_up in self._asdict().items() if is_set_up)

    @property
    def second_factor(self) -> bool:
        """Whether a sign-in by one proof has to be completed. Backup codes stand in for another, never alone."""
        return self.totp or self.passkey


async def of_user(session: AsyncSession, user_id: UserId) -> Factors:
    """What the user could show."""
    return Factors._make((await session.execute(select(*_kinds(user_id)))).one())


async def of_session(session: AsyncSession, session_id: SessionId) -> Factors:
    """What the user of a session could show."""
    owner = select(UserSession.user_id).where(UserSession.id == session_id).scalar_subquery()
    return Factors._make((await session.execute(select(*_kinds(owner)))).one())


def _kinds(user_id: object) -> tuple[ColumnElement[bool], ...]:
    return (
        exists().where(PasswordCredential.user_id == user_id),
        exists().where(TotpCredential.user_id == user_id, TotpCredential.confirmed_at.is_not(None)),
        exists().where(Passkey.user_id == user_id),
        exists().where(BackupCode.user_id == user_id, BackupCode.used_at.is_(None)),
    )


async def add_methods(session: AsyncSession, session_id: SessionId, methods: Sequence[str]) -> None:
    """Note what else was shown in a session. When it was opened stays as it was."""
    found = await session.get(UserSession, session_id, with_for_update={"key_share": True}, populate_existing=True)
    if found is not None:
        found.amr = list(dict.fromkeys((*found.amr, *methods)))
        await session.flush()


async def forget_method(session: AsyncSession, user_id: UserId, method: str) -> None:
    """A user's sessions and API keys count as opened without it."""
    keys = select(Token.id).where(Token.user_id == user_id).scalar_subquery()
    for table, whose in ((UserSession, UserSession.user_id == user_id), (ApiKey, ApiKey.id.in_(keys))):
        statement = update(table).where(whose, literal(method) == any_(table.amr))
        statement = statement.values(amr=func.array_remove(table.amr, method))
        await session.execute(statement.execution_options(synchronize_session=False))


async def remove_all(session: AsyncSession, user_id: UserId) -> int:
    """Remove a user's passkeys, authenticator app and backup codes; how many rows."""
    removed = 0
    for table in (Passkey, TotpCredential, BackupCode):
        statement = delete(table).where(table.user_id == user_id)
        result = await session.execute(statement.execution_options(synchronize_session=False))
        removed += cast("CursorResult[Any]", result).rowcount
    return removed
