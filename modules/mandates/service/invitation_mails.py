"""The mail of an invitation, sent by a job that carries ids only; the secret of its link is made when it is sent."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.service.one_time_tokens import OneTimeTokens
from modules.mandates.repository import invitations, mandates, people
from modules.shared import clock
from modules.shared.i18n import Text, negotiate_language
from modules.shared.ids import InvitationId, MandateId, TokenId, UserId
from modules.shared.jobs import JobContext, Retry, TaskRegistry, defer
from modules.shared.mail import Mailer, MailRefused, MailTemplate

invitation_tasks = TaskRegistry()

_RETRY: Final = Retry(attempts=8, longest_wait=timedelta(minutes=30), unless=(MailRefused,))
_INVITATION: Final = MailTemplate(
    Text(en="Invitation to {mandate} at {product}", de="Einladung zu {mandate} bei {product}"),
    Text(
        en="{inviter} invites you to work in {mandate} at {product}.\n\n"
        "Open this page to accept; sign in with this address, or register it first:\n{link}\n\n"
        "The invitation can be accepted until {until}. If you do not know what this is about, do nothing.\n",
        de="{inviter} lädt Sie ein, in {mandate} bei {product} zu arbeiten.\n\n"
        "Zum Annehmen diese Seite öffnen; mit dieser Adresse anmelden oder sie zuerst registrieren:\n{link}\n\n"
        "Die Einladung kann bis {until} angenommen werden. Sagt sie Ihnen nichts, tun Sie nichts.\n",
    ),
)


class InvitationMails:
    """Writes and sends the mails; used by the worker."""

    def __init__(self, mailer: Mailer, tokens: OneTimeTokens, *, product: str, public_url: str) -> None:
        self._mailer = mailer
        self._tokens = tokens
        self._product = product
        self._page = f"{public_url.rstrip('/')}/console/#/invitation/"

    async def send(
        self, job: JobContext, mandate_id: MandateId, invitation_id: InvitationId, token_id: TokenId
    ) -> None:
        """Send the mail, unless the invitation was settled or its mandate is closed."""
        async with job.session() as session:
            invitation = await invitations.find_open(session, mandate_id, invitation_id, clock.now())
            mandate = await mandates.find(session, mandate_id)
            if invitation is None or mandate is None or not mandate.enabled:
                return
            inviter = await people.find(session, UserId(invitation.invited_by))
            secret = await self._tokens.give_secret(session, token_id)
        if secret is None:
            return
        mail = _INVITATION.render(
            invitation.email,
            negotiate_language(None, invitation.language),
            mandate=mandate.name,
            product=self._product,
            inviter=(inviter.display_name or inviter.email) if inviter else self._product,
            link=self._page + secret,
            until=f"{invitation.expires_at:%Y-%m-%d %H:%M} UTC",
        )
        # Sent after the hash is committed: a link that arrives is a link that works.
        await self._mailer.send(mail)


@invitation_tasks.task("mandates.mail_invitation", retry=_RETRY)
async def mail_invitation(job: JobContext, *, invitation_id: UUID, token_id: UUID) -> None:
    """Send the mail of an invitation."""
    if job.mandate_id is not None:
        mails = job.services.get(InvitationMails)
        await mails.send(job, job.mandate_id, InvitationId(invitation_id), TokenId(token_id))


async def send_invitation(
    session: AsyncSession, mandate_id: MandateId, invitation_id: InvitationId, token_id: TokenId
) -> None:
    """Have the mail sent once this transaction commits."""
    await defer(session, mail_invitation, mandate_id=mandate_id, invitation_id=invitation_id, token_id=token_id)
