"""The mail that tells a mandate's administrators that nobody can join by a domain any more."""

from datetime import timedelta
from typing import Final

from modules.mandates.domain_records import record_name
from modules.mandates.repository import domains, mandates, people
from modules.shared.i18n import Text, negotiate_language
from modules.shared.ids import DomainId, UserId
from modules.shared.jobs import JobContext, Retry, TaskRegistry
from modules.shared.mail import Mailer, MailRefused, MailTemplate

domain_mail_tasks = TaskRegistry()

_SUSPENDED: Final = MailTemplate(
    Text(en="Nobody can join {mandate} by {domain} any more", de="Über {domain} kann niemand mehr {mandate} beitreten"),
    Text(
        en="The TXT record {record} was not found three times in a row. Until it is published and proven again, people "
        "with an address at {domain} cannot join {mandate} by themselves. Members stay members.\n\n"
        "If the domain is not yours any more, remove it from the mandate.\n",
        de="Der TXT-Eintrag {record} wurde dreimal in Folge nicht gefunden. Bis er wieder veröffentlicht und "
        "nachgewiesen ist, können Leute mit einer Adresse bei {domain} nicht selbst {mandate} beitreten. Mitglieder "
        "bleiben Mitglieder.\n\n"
        "Gehört die Domain nicht mehr Ihnen, nehmen Sie sie bitte aus dem Mandanten.\n",
    ),
)


@domain_mail_tasks.task(
    "mandates.tell_administrator_of_domain",
    retry=Retry(attempts=8, first_wait=timedelta(seconds=30), unless=(MailRefused,)),
)
async def tell_administrator(job: JobContext, *, domain_id: DomainId, administrator_id: UserId) -> None:
    """Tell one of them, unless the domain was proven again or taken away meanwhile."""
    if job.mandate_id is None:
        return
    async with job.session() as session:
        domain = await domains.find_suspended(session, job.mandate_id, domain_id)
        mandate = await mandates.find(session, job.mandate_id)
        reader = await people.find_reader(session, administrator_id)
    if domain is None or mandate is None or reader is None:
        return
    mail = _SUSPENDED.render(
        reader.email,
        negotiate_language(None, reader.language or mandate.language),
        mandate=mandate.name,
        domain=domain.domain,
        record=record_name(domain.domain),
    )
    await job.services.get(Mailer).send(mail)  # type: ignore[type-abstract] # wired under its protocol
