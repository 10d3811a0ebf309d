"""Whom the mail of a token goes to, found out when it is sent.

Here, and not in the request that asked, it turns out whether an address has an account: what the asking person sees and
how long it takes is the same for every address.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.models import Token, User
from modules.auth.repository import magic_links, registrations, users
from modules.auth.service.mail_texts import LinkMail
from modules.shared import clock
from modules.shared.i18n import DEFAULT_LANGUAGE, Language, negotiate_language


@dataclass(frozen=True, slots=True)
class Recipient:
    """An address, its language, and what to write to it."""

    email: str
    language: Language
    mail: LinkMail


async def recipient_of(session: AsyncSession, token: Token) -> Recipient | None:
    """The address a token is about, or its user's own; None when nobody shall get it."""
    mail = LinkMail(token.payload["mail"])
    if mail is LinkMail.REGISTRATION:
        return await _who_registered(session, UUID(token.payload["registration_id"]))
    if token.purpose == magic_links.PURPOSE:
        return await _who_wants_in(session, token)
    user = await users.find_user(session, token.user_id) if token.user_id else None
    return _written_to(user, mail, token.payload.get("email"))


def language_of(user: User) -> Language:
    """The language a user is written to in."""
    return negotiate_language(None, user.language) if user.language else DEFAULT_LANGUAGE


async def _who_registered(session: AsyncSession, registration_id: UUID) -> Recipient | None:
    """The address registered; its owner learns instead that there is an account already."""
    registration = await registrations.find(session, registration_id, clock.now())
    if registration is None:
        return None
    owner = await users.find_owner(session, registration.email, clock.now())
    if owner is not None:
        return _written_to(await users.find_user(session, owner), LinkMail.KNOWN_ACCOUNT, registration.email)
    return Recipient(registration.email, negotiate_language(None, registration.language), LinkMail.REGISTRATION)


async def _who_wants_in(session: AsyncSession, token: Token) -> Recipient | None:
    """The account of the address; without one the address itself, if it may get one."""
    email, mail = token.payload["email"], LinkMail.MAGIC_LINK
    user_id = await users.find_id(session, email)
    if user_id is not None:
        return _written_to(await users.find_user(session, user_id), mail)
    if not token.payload["may_sign_up"] or await users.find_owner(session, email, clock.now()) is not None:
        return None
    return Recipient(email, negotiate_language(None, token.payload["language"]), mail)


def _written_to(user: User | None, mail: LinkMail, email: str | None = None) -> Recipient | None:
    """Blocked people are written nothing."""
    return Recipient(email or user.email, language_of(user), mail) if user and user.state != "disabled" else None
