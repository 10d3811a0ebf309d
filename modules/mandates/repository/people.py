"""What this feature reads of people: name and address, for lists and mails, and how they are signed in.

The tables belong to identity; this is a window onto a few of their columns, for joins. Nothing is written through it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, DateTime, Row, String, Uuid, column, func, or_, select, table
from sqlalchemy.ext.asyncio import AsyncSession

from modules.shared.context import Login
from modules.shared.ids import SessionId, TokenId, UserId

PEOPLE = table(
    "users",
    column("id", Uuid()),
    column("slug", String()),
    column("email", String()),
    column("display_name", String()),
    column("avatar_url", String()),
    column("language", String()),
    column("state", String()),
)
_SIGN_INS = table(
    "sessions",
    column("id", Uuid()),
    column("user_id", Uuid()),
    column("authority", String()),
    column("tenant", String()),
    column("proven_email", String()),
    column("amr", ARRAY(String())),
    column("authenticated_at", DateTime(timezone=True)),
    column("proven_at", DateTime(timezone=True)),
    column("expires_at", DateTime(timezone=True)),
    column("revoked_at", DateTime(timezone=True)),
)


class Person(NamedTuple):
    """A user as others may see them."""

    id: UserId
    slug: str
    email: str
    display_name: str
    avatar_url: str | None


def named_like(words: str) -> ColumnElement[bool]:
    """People whose name or address contains `words`."""
    return or_(
        PEOPLE.c.display_name.icontains(words, autoescape=True), PEOPLE.c.email.icontains(words, autoescape=True)
    )


async def find(session: AsyncSession, user_id: UserId) -> Person | None:
    """The user, unless disabled."""
    return await _find(session, PEOPLE.c.id == user_id)


async def find_by_email(session: AsyncSession, email: str) -> Person | None:
    """The user of this address, unless disabled."""
    return await _find(session, PEOPLE.c.email == email)


async def find_reader(session: AsyncSession, user_id: UserId) -> Row[str, str | None] | None:
    """(email, language) to write a mail to; None for who is disabled."""
    wanted = select(PEOPLE.c.email, PEOPLE.c.language).where(PEOPLE.c.id == user_id, PEOPLE.c.state != "disabled")
    return (await session.execute(wanted)).one_or_none()


async def live_sign_ins(session: AsyncSession, user_ids: Iterable[UserId]) -> Sequence[tuple[str, Login]]:
    """Address and sign-in of every session of these people that stands."""
    sign_in, wanted = _SIGN_INS.c, list(user_ids)
    proof = sign_in.authority, sign_in.amr, sign_in.authenticated_at, sign_in.tenant, sign_in.proven_email
    rows = await session.execute(
        select(PEOPLE.c.email, sign_in.id, sign_in.proven_at, *proof)
        .join(PEOPLE, PEOPLE.c.id == sign_in.user_id)
        .where(sign_in.user_id.in_(wanted), sign_in.revoked_at.is_(None), sign_in.expires_at > func.now())
    )
    return [(email, _login(*of_session)) for email, *of_session in rows]


def _login(
    session_id: UUID,
    proven_at: datetime | None,
    authority: str,
    amr: Sequence[str],
    *proof: Any,  # noqa: ANN401 - as selected
) -> Login:
    # No token is in use here: the policy judges the session, whatever token stands for it.
    login = Login(SessionId(session_id), TokenId(session_id), authority, tuple(amr), *proof)
    return login._replace(proven_at=proven_at)


async def _find(session: AsyncSession, condition: ColumnElement[bool]) -> Person | None:
    columns = PEOPLE.c.id, PEOPLE.c.slug, PEOPLE.c.email, PEOPLE.c.display_name, PEOPLE.c.avatar_url
    row = (await session.execute(select(*columns).where(condition, PEOPLE.c.state != "disabled"))).one_or_none()
    return Person(*row) if row else None
