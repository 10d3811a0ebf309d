"""The rows of people and their passwords."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import delete, exists, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.models import PasswordCredential, Token, User
from modules.shared.ids import UserId
from modules.shared.pagination import Ordering, PageQuery, read_page

_LOCK_ACCOUNTS = text("SELECT pg_advisory_xact_lock(hashtext('mandate.accounts'))")
_LOCK_SYSADMINS = text("SELECT pg_advisory_xact_lock(hashtext('mandate.sysadmins'))")


class Account(NamedTuple):
    """A user with the password to prove, if they have one."""

    user: User
    password_hash: str | None


async def lock_accounts(session: AsyncSession) -> None:
    """Let one account appear at a time, until the transaction ends: the first one is special, addresses are unique."""
    await session.execute(_LOCK_ACCOUNTS)


async def lock_sysadmins(session: AsyncSession) -> None:
    """Let one change of who holds the flag happen at a time, until the transaction ends."""
    await session.execute(_LOCK_SYSADMINS)


async def find_account(session: AsyncSession, email: str) -> Account | None:
    """The account of an address."""
    statement = (
        select(User, PasswordCredential.password_hash)
        .outerjoin(PasswordCredential, PasswordCredential.user_id == User.id)
        .where(User.email == email)
    )
    row = (await session.execute(statement)).one_or_none()
    return Account(row[0], row[1]) if row else None


async def find_id(session: AsyncSession, email: str) -> UserId | None:
    """Whose account has this address, whatever its state; costs the same for any address."""
    found = await session.scalar(select(User.id).where(User.email == email))
    return UserId(found) if found else None


async def find_user(session: AsyncSession, user_id: UUID) -> User | None:
    """A user by id."""
    return await session.get(User, user_id)


async def lock_user(session: AsyncSession, user_id: UUID) -> User | None:
    """A user as of now, whom nobody else changes until the transaction ends; sessions may still refer to the row."""
    statement = select(User).where(User.id == user_id).with_for_update(key_share=True)
    return (await session.scalars(statement.execution_options(populate_existing=True))).one_or_none()


async def password_hash_of(session: AsyncSession, user_id: UUID) -> str | None:
    """The stored password of a user, if there is one."""
    statement = select(PasswordCredential.password_hash).where(PasswordCredential.user_id == user_id)
    return (await session.scalars(statement)).one_or_none()


async def set_password(session: AsyncSession, user_id: UUID, password_hash: str, now: datetime) -> None:
    """Give a user this password, whether or not there was one."""
    values = {"password_hash": password_hash, "changed_at": now}
    statement = insert(PasswordCredential).values(user_id=user_id, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=["user_id"], set_=values))


async def forget_password(session: AsyncSession, user_id: UUID) -> None:
    """Leave a user without a password: nobody signs in by one until a reset sets it."""
    statement = delete(PasswordCredential).where(PasswordCredential.user_id == user_id)
    await session.execute(statement.execution_options(synchronize_session=False))


async def find_owner(session: AsyncSession, email: str, now: datetime) -> UserId | None:
    """Whose address this is: the user who has it, or who can still take it back."""
    reserved = select(Token.user_id).where(
        Token.purpose == "email_take_back",
        Token.used_at.is_(None),
        Token.revoked_at.is_(None),
        Token.expires_at > now,
        Token.payload["email"].astext == email,
    )
    owners = select(User.id).where(User.email == email).union_all(reserved)
    found = (await session.scalars(owners.limit(1))).first()
    return UserId(found) if found else None


async def any_user(session: AsyncSession) -> bool:
    """Whether the installation has an account at all."""
    return bool(await session.scalar(select(exists().select_from(User))))


async def is_slug_free(session: AsyncSession, slug: str) -> bool:
    """Whether no user has the slug."""
    return not await session.scalar(select(exists().where(User.slug == slug)))


async def raise_versions(session: AsyncSession) -> None:
    """End every access token of the installation."""
    await session.execute(update(User).values(ver=User.ver + 1).execution_options(synchronize_session=False))


async def list_sysadmins(session: AsyncSession) -> Sequence[User]:
    """The holders of the flag whose account works."""
    statement = select(User).where(User.is_sysadmin, User.state != "disabled").order_by(User.created_at, User.id)
    return (await session.scalars(statement)).all()


async def has_other_sysadmin(session: AsyncSession, user_id: UUID) -> bool:
    """Whether somebody else holds the flag, can sign in, and is not about to leave."""
    other = exists().where(User.is_sysadmin, User.state != "disabled", User.delete_after.is_(None), User.id != user_id)
    return bool(await session.scalar(select(other)))


async def read_users(
    session: AsyncSession, query: PageQuery, ordering: Ordering, *, text_in: str | None, state: str | None
) -> tuple[list[User], str | None]:
    """A page of the accounts whose address, name or slug contains the text."""
    statement = select(User)
    if text_in:
        wanted = text_in.lower()
        columns = (User.email, User.slug, func.lower(User.display_name))
        statement = statement.where(or_(*(column.contains(wanted, autoescape=True) for column in columns)))
    if state:
        statement = statement.where(User.state == state)
    rows, cursor = await read_page(session, statement, ordering, query)
    return [row[0] for row in rows], cursor


async def list_due_for_erasure(session: AsyncSession, now: datetime, limit: int) -> list[UserId]:
    """Accounts whose grace is over, locked for this transaction; another worker's are passed over."""
    statement = (
        select(User.id)
        .where(User.delete_after <= now)
        .order_by(User.delete_after)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [UserId(user_id) for user_id in await session.scalars(statement)]


async def erase_users(session: AsyncSession, user_ids: Sequence[UserId]) -> None:
    """Delete the rows, and with them what hangs on them."""
    await session.execute(delete(User).where(User.id.in_(user_ids)).execution_options(synchronize_session=False))
