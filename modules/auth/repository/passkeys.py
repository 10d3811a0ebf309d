"""The rows of passkeys."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, exists, inspect, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.models import Identity, Passkey, PasswordCredential
from modules.shared.ids import UserId


async def list_of_user(session: AsyncSession, user_id: UserId) -> Sequence[Passkey]:
    """A user's passkeys, the oldest first."""
    statement = select(Passkey).where(Passkey.user_id == user_id).order_by(Passkey.created_at, Passkey.id)
    return (await session.scalars(statement)).all()


async def find_own(session: AsyncSession, user_id: UserId, passkey_id: UUID) -> Passkey | None:
    """A passkey of this user."""
    statement = select(Passkey).where(Passkey.id == passkey_id, Passkey.user_id == user_id)
    return (await session.scalars(statement)).one_or_none()


async def find_by_credential(session: AsyncSession, credential_id: bytes) -> Passkey | None:
    """The passkey an authenticator names so."""
    return (await session.scalars(select(Passkey).where(Passkey.credential_id == credential_id))).one_or_none()


async def add(session: AsyncSession, passkey: Passkey) -> bool:
    """Keep a new passkey; False when its credential is known already, whoever it belongs to."""
    columns = {column.key: getattr(passkey, column.key) for column in inspect(Passkey).columns}
    statement = insert(Passkey).values(columns).on_conflict_do_nothing(index_elements=["credential_id"])
    return (await session.scalars(statement.returning(Passkey.id))).one_or_none() is not None


async def note_use(session: AsyncSession, passkey_id: UUID, count: int, now: datetime, *, backed_up: bool) -> bool:
    """Keep the count if it went on, or if the passkey never counts. Of two uses with one count, one is kept."""
    goes_on = or_(Passkey.sign_count < count, (Passkey.sign_count == 0) & (count == 0))
    statement = (
        update(Passkey)
        .where(Passkey.id == passkey_id, goes_on)
        .values(sign_count=count, backed_up=backed_up, last_used_at=now)
        .returning(Passkey.id)
    )
    return (await session.scalars(statement)).one_or_none() is not None


async def remove(session: AsyncSession, passkey_id: UUID) -> None:
    """Remove a passkey."""
    await session.execute(delete(Passkey).where(Passkey.id == passkey_id))


async def has_other_way_in(session: AsyncSession, user_id: UserId, *, than: UUID) -> bool:
    """Whether the user can sign in without this passkey: by password, provider or another passkey."""
    ways = or_(
        exists().where(PasswordCredential.user_id == user_id),
        exists().where(Identity.user_id == user_id),
        exists().where(Passkey.user_id == user_id, Passkey.id != than),
    )
    return bool(await session.scalar(select(ways)))
