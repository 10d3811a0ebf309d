"""The mail that tells a mandate's administrators about a sysadmin who broke the glass."""

from datetime import timedelta
from uuid import UUID

from modules.rbac.models import SysadminEntry
from modules.rbac.repository import entries as repository
from modules.shared.i18n import Text
from modules.shared.ids import MandateId, UserId
from modules.shared.jobs import JobContext, Retry, TaskRegistry
from modules.shared.mail import Mailer, MailRefused, MailTemplate

entry_mail_tasks = TaskRegistry()

_ENTERED = MailTemplate(
    subject=Text(en="A system administrator entered {mandate}", de="Ein Systemadministrator hat {mandate} betreten"),
    body=Text(
        en="{name} entered {mandate} as a system administrator on {at} (UTC), until {until} at the latest.\n\n"
        "Reason given:\n{reason}\n\n"
        "Everything they change there stands in the mandate's audit trail.\n",
        de="{name} hat {mandate} am {at} (UTC) als Systemadministrator betreten, längstens bis {until}.\n\n"
        "Angegebener Grund:\n{reason}\n\n"
        "Alles, was dabei geändert wird, steht im Protokoll des Mandanten.\n",
    ),
)


@entry_mail_tasks.task(
    "rbac.tell_administrator_of_entry",
    retry=Retry(attempts=8, first_wait=timedelta(seconds=30), unless=(MailRefused,)),
)
async def tell_administrator(job: JobContext, *, entry_id: UUID, administrator_id: UserId) -> None:
    """Send one administrator the reason of one visit."""
    async with job.session() as session:
        entry = await session.get(SysadminEntry, entry_id)
        reader = await repository.find_person(session, administrator_id)
        if entry is None or reader is None:
            return  # the account is gone, or the visitor's is
        visitor = await repository.find_person(session, UserId(entry.user_id))
        mandate = await repository.find_mandate(session, MandateId(entry.mandate_id), administrator_id)
    mail = _ENTERED.render(
        reader.email,
        reader.language,
        name=(visitor.display_name or visitor.email) if visitor else entry.user_id,
        mandate=mandate.name if mandate else entry.mandate_id,
        at=f"{entry.created_at:%Y-%m-%d %H:%M}",
        until=f"{entry.valid_until:%H:%M}",
        reason=entry.reason,
    )
    await job.services.get(Mailer).send(mail)  # type: ignore[type-abstract] # wired under its protocol
