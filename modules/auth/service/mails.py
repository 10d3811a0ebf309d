"""Identity's mails, sent by jobs that carry ids only.

A token that a mail shall carry exists before it has a secret. The worker makes the secret when it sends, stores its
hash and forgets it: neither the queue nor a dump of the database ever holds one. An attempt that is repeated makes a
new secret, and the former one proves nothing any more.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.keys import hash_secret, new_secret
from modules.auth.models import Token
from modules.auth.repository import one_time_tokens, registrations, users
from modules.auth.service.link_recipients import Recipient, language_of, recipient_of
from modules.auth.service.mail_codes import CodesOfMail, MailCodes
from modules.auth.service.mail_texts import LINK_MAILS, NOTICES, LinkMail, Notice
from modules.shared import clock
from modules.shared.ids import TokenId, UserId
from modules.shared.jobs import JobContext, Retry, TaskRegistry, defer
from modules.shared.mail import Mail, Mailer, MailRefused

mail_tasks = TaskRegistry()

_PAGES: Final = {
    LinkMail.MAGIC_LINK: "magic-link",
    LinkMail.REGISTRATION: "verify-email",
    LinkMail.EMAIL_CHANGE: "verify-email",
    LinkMail.PASSWORD_RESET: "reset-password",
    LinkMail.EMAIL_TAKE_BACK: "take-back-email",
}
_RETRY: Final = Retry(attempts=8, longest_wait=timedelta(minutes=30), unless=(MailRefused,))


class AuthMails:
    """Writes and sends the mails; used by the worker."""

    def __init__(self, mailer: Mailer, codes: MailCodes, *, product: str, public_url: str) -> None:
        self._mailer = mailer
        self._codes = codes
        self._product = product
        self._console = f"{public_url.rstrip('/')}/console/"

    async def send_link(self, job: JobContext, token_id: TokenId) -> None:
        """Send the mail of a token, unless it was used, has expired, or concerns nobody."""
        async with job.session() as session:
            token = await one_time_tokens.find(session, token_id)
            recipient = await recipient_of(session, token) if token else None
            if recipient is None:
                return
            secret = new_secret()
            token = await one_time_tokens.set_secret(session, token_id, hash_secret(secret), clock.now())
            if token is None:
                return
            codes = await self._codes.make(session, token) if recipient.mail is LinkMail.MAGIC_LINK else None
            mail = self._compose_link(token, recipient, secret, codes)
        # Sent after the hash is committed: a link that arrives is a link that works.
        await self._mailer.send(mail)
        if recipient.mail is LinkMail.KNOWN_ACCOUNT:
            async with job.session() as session:
                await registrations.drop_for(session, recipient.email)

    async def send_notice(self, job: JobContext, user_id: UserId, notice: Notice, about: UserId | None) -> None:
        """Tell a user what happened. A user who is gone is told nothing."""
        async with job.session() as session:
            user = await users.find_user(session, user_id)
            person = await users.find_user(session, about) if about else user
        if user is None or person is None:
            return
        template = NOTICES[notice]
        values = {"product": self._product, "link": self._console, "person": person.display_name or person.email}
        await self._mailer.send(template.render(user.email, language_of(user), **values))

    def _compose_link(self, token: Token, recipient: Recipient, secret: str, codes: CodesOfMail | None) -> Mail:
        page = _PAGES.get(recipient.mail)
        link = f"{self._console}#/{page}/{secret}" if page else self._console
        return LINK_MAILS[recipient.mail].render(
            recipient.email,
            recipient.language,
            product=self._product,
            link=link,
            until=f"{token.expires_at:%Y-%m-%d %H:%M} UTC",
            origin=token.payload.get("origin") or "?",
            digits=codes.digits if codes else "",
            code=codes.code if codes else "",
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
