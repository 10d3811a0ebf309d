"""Identity's mails, sent by jobs that carry ids only.

A token that a mail shall carry exists before it has a secret. The worker makes the secret when it sends, stores its
hash and forgets it: neither the queue nor a dump of the database ever holds one. An attempt that is repeated makes a
new secret, and the former one proves nothing any more.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.keys import hash_secret, new_secret
from modules.auth.models import Token, User
from modules.auth.repository import one_time_tokens, registrations, users
from modules.auth.service.mail_texts import LINK_MAILS, NOTICES, LinkMail, Notice
from modules.shared import clock
from modules.shared.i18n import DEFAULT_LANGUAGE, Language, negotiate_language
from modules.shared.ids import TokenId, UserId
from modules.shared.jobs import JobContext, Retry, TaskRegistry, defer
from modules.shared.mail import Mail, Mailer, MailRefused

mail_tasks = TaskRegistry()

_PAGES: Final = {
    LinkMail.REGISTRATION: "verify-email",
    LinkMail.EMAIL_CHANGE: "verify-email",
    LinkMail.PASSWORD_RESET: "reset-password",
    LinkMail.EMAIL_TAKE_BACK: "take-back-email",
}
_RETRY: Final = Retry(attempts=8, longest_wait=timedelta(minutes=30), unless=(MailRefused,))


@dataclass(frozen=True, slots=True)
class _Recipient:
    email: str
    language: Language


class AuthMails:
    """Writes and sends the mails; used by the worker."""

    def __init__(self, mailer: Mailer, *, product: str, public_url: str) -> None:
        self._mailer = mailer
        self._product = product
        self._console = f"{public_url.rstrip('/')}/console/"

    async def send_link(self, job: JobContext, token_id: TokenId) -> None:
        """Send the mail of a token, unless it was used, has expired, or concerns nobody."""
        async with job.session() as session:
            token = await one_time_tokens.find(session, token_id)
            recipient = await _recipient_of(session, token) if token else None
            if token is None or recipient is None:
                return
            kind = LinkMail(token.payload["mail"])
            secret = new_secret()
            if await one_time_tokens.set_secret(session, token_id, hash_secret(secret), clock.now()) is None:
                return
            mail = self._compose_link(kind, token, recipient, secret)
        # Sent after the hash is committed: a link that arrives is a link that works.
        await self._mailer.send(mail)

    async def send_notice(self, job: JobContext, user_id: UserId, notice: Notice, about: UserId | None) -> None:
        """Tell a user what happened. A user who is gone is told nothing."""
        async with job.session() as session:
            user = await users.find_user(session, user_id)
            person = await users.find_user(session, about) if about else user
        if user is None or person is None:
            return
        recipient = _recipient(user)
        template = NOTICES[notice]
        values = {"product": self._product, "link": self._console, "person": person.display_name or person.email}
        await self._mailer.send(template.render(recipient.email, recipient.language, **values))

    def _compose_link(self, kind: LinkMail, token: Token, recipient: _Recipient, secret: str) -> Mail:
        page = _PAGES.get(kind)
        link = f"{self._console}#/{page}/{secret}" if page else self._console
        return LINK_MAILS[kind].render(
            recipient.email,
            recipient.language,
            product=self._product,
            link=link,
            until=f"{token.expires_at:%Y-%m-%d %H:%M} UTC",
            origin=token.payload.get("origin") or "?",
        )


@mail_tasks.task("auth.mail_link", retry=_RETRY)
async def mail_link(job: JobContext, *, token_id: UUID) -> None:
    """Send the mail of a token."""
    await job.services.get(AuthMails).send_link(job, TokenId(token_id))


@mail_tasks.task("auth.mail_notice", retry=_RETRY)
async def mail_notice(job: JobContext, *, user_id: UUID, notice: Notice, about: UUID | None = None) -> None:
    """Tell a user what happened to their account."""
    await job.services.get(AuthMails).send_notice(job, UserId(user_id), notice, UserId(about) if about else None)


async def send_link(session: AsyncSession, token_id: TokenId) -> None:
    """Have the mail of a token sent once this transaction commits."""
    await defer(session, mail_link, token_id=token_id)


async def send_notice(session: AsyncSession, user_id: UserId, notice: Notice, about: UserId | None = None) -> None:
    """Have a user told once this transaction commits."""
    await defer(session, mail_notice, user_id=user_id, notice=notice, about=about)


async def _recipient_of(session: AsyncSession, token: Token) -> _Recipient | None:
    """Whom the token's mail goes to: the address it is about, or its user's own."""
    if registration_id := token.payload.get("registration_id"):
        registration = await registrations.find(session, UUID(registration_id), clock.now())
        return _Recipient(registration.email, negotiate_language(None, registration.language)) if registration else None
    user = await users.find_user(session, token.user_id) if token.user_id else None
    if user is None or user.state == "disabled":
        return None
    recipient = _recipient(user)
    return _Recipient(token.payload.get("email") or recipient.email, recipient.language)


def _recipient(user: User) -> _Recipient:
    return _Recipient(user.email, negotiate_language(None, user.language) if user.language else DEFAULT_LANGUAGE)
