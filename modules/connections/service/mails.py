"""The mail about a connection the provider has ended, sent by a job that carries its id only."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.identity_providers.data_flow import DataClient
from modules.connections import repository
from modules.connections.models import Connection
from modules.connections.schemas import ConnectionState
from modules.shared.i18n import DEFAULT_LANGUAGE, Text, negotiate_language
from modules.shared.ids import MandateId
from modules.shared.jobs import JobContext, Retry, TaskRegistry, defer
from modules.shared.mail import Mailer, MailRefused, MailTemplate

connection_mail_tasks = TaskRegistry()

_RETRY: Final = Retry(attempts=8, longest_wait=timedelta(minutes=30), unless=(MailRefused,))
_BROKEN: Final = MailTemplate(
    Text(
        en="Your data connection with {provider} at {product} has ended",
        de="Ihre Datenverbindung mit {provider} bei {product} ist beendet",
    ),
    Text(
        en="{provider} no longer accepts the connection you made for {mandate}: the permission ran out or was taken"
        " back there. Nothing of that account is used any more.\n\n"
        "If you want it to go on, connect the account again:\n{link}\n",
        de="{provider} nimmt die Verbindung, die Sie für {mandate} eingerichtet haben, nicht mehr an: Die Erlaubnis ist"
        " abgelaufen oder wurde dort zurückgenommen. Von diesem Konto wird nichts mehr genutzt.\n\n"
        "Soll es weitergehen, verbinden Sie das Konto neu:\n{link}\n",
    ),
)


class ConnectionMails:
    """Writes and sends the mail; used by the worker."""

    def __init__(self, mailer: Mailer, clients: Mapping[str, DataClient], *, product: str, public_url: str) -> None:
        self._mailer = mailer
        self._clients = clients
        self._product = product
        self._page = f"{public_url.rstrip('/')}/console/#/connections"

    async def send(self, job: JobContext, mandate_id: MandateId, connection_id: UUID) -> None:
        """Tell the owner, unless they have connected again or are gone."""
        async with job.session() as session:
            connection = await repository.find(session, mandate_id, connection_id)
            if connection is None or connection.state != ConnectionState.BROKEN:
                return
            owner = await repository.find_owner(session, connection)
        if owner is None:
            return
        client = self._clients.get(connection.provider)
        mail = _BROKEN.render(
            owner.email,
            negotiate_language(None, owner.language) if owner.language else DEFAULT_LANGUAGE,
            provider=client.provider.label if client else connection.provider,
            product=self._product,
            mandate=owner.mandate,
            link=self._page,
        )
        await self._mailer.send(mail)


@connection_mail_tasks.task("connections.mail_broken", retry=_RETRY)
async def mail_broken(job: JobContext, *, connection_id: UUID) -> None:
    """Tell the owner of a broken connection."""
    if job.mandate_id is not None:
        await job.services.get(ConnectionMails).send(job, job.mandate_id, connection_id)


async def tell_owner(session: AsyncSession, connection: Connection) -> None:
    """Have the owner told once this transaction commits."""
    await defer(session, mail_broken, mandate_id=MandateId(connection.mandate_id), connection_id=connection.id)
