"""The mail about a sign-in from a browser nobody knew: which, from where, when, and where to end it."""

from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.models import User, UserSession
from modules.auth.repository import sessions, users
from modules.shared.i18n import DEFAULT_LANGUAGE, Language, Text, negotiate_language
from modules.shared.ids import SessionId
from modules.shared.jobs import JobContext, Retry, TaskRegistry, defer
from modules.shared.mail import Mail, Mailer, MailRefused, MailTemplate

new_device_tasks = TaskRegistry()

NEW_DEVICE: Final = MailTemplate(
    Text(en="A new sign-in to your account at {product}", de="Eine neue Anmeldung an Ihrem Konto bei {product}"),
    Text(
        en="Somebody signed in to your account from a device that it was not used on before.\n\n"
        "Device: {device}\nFrom: {place}\nTime: {time}\n\n"
        "If it was you, there is nothing to do. If not, end the session here and change your password:\n{link}\n",
        de="An Ihrem Konto hat sich jemand von einem Gerät angemeldet, auf dem es bisher nicht benutzt wurde.\n\n"
        "Gerät: {device}\nVon: {place}\nZeit: {time}\n\n"
        "Waren Sie es, ist nichts zu tun. Wenn nicht, beenden Sie hier die Sitzung und ändern Sie Ihr "
        "Passwort:\n{link}\n",
    ),
)
_UNKNOWN: Final = Text(en="unknown", de="unbekannt")
_TIME: Final = Text(en="%Y-%m-%d %H:%M", de="%d.%m.%Y %H:%M")


class NewDeviceMails:
    """Writes and sends them; used by the worker."""

    def __init__(self, mailer: Mailer, *, product: str, public_url: str) -> None:
        self._mailer = mailer
        self._product = product
        self._sessions_page = f"{public_url.rstrip('/')}/console/#/sessions"

    async def send(self, job: JobContext, session_id: SessionId) -> None:
        """Tell the owner of the session, unless either is gone."""
        async with job.session() as session:
            opened = await sessions.find(session, session_id)
            user = await users.find_user(session, opened.user_id) if opened else None
            if opened is None or user is None:
                return
            mail = self._compose(opened, user)
        await self._mailer.send(mail)

    def _compose(self, opened: UserSession, user: User) -> Mail:
        language = negotiate_language(None, user.language) if user.language else DEFAULT_LANGUAGE
        place = ", ".join(part for part in (opened.location, opened.ip) if part)
        return NEW_DEVICE.render(
            user.email,
            language,
            product=self._product,
            link=self._sessions_page,
            device=opened.device_name or _UNKNOWN.in_(language),
            place=place or _UNKNOWN.in_(language),
            time=local_time(opened.created_at, user.time_zone, language),
        )


@new_device_tasks.task("auth.mail_new_device", retry=Retry(attempts=8, unless=(MailRefused,)))
async def mail_new_device(job: JobContext, *, session_id: UUID) -> None:
    """Tell somebody of a sign-in from a device nobody knew."""
    await job.services.get(NewDeviceMails).send(job, SessionId(session_id))


async def tell_of_new_device(session: AsyncSession, session_id: SessionId) -> None:
    """Have the owner of the session told once this transaction commits."""
    await defer(session, mail_new_device, session_id=session_id)


def local_time(moment: datetime, zone: str, language: Language) -> str:
    """The moment as the clock of that zone shows it, with the zone's name: 2026-03-01 10:15 CET (Europe/Berlin)."""
    try:
        local = moment.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError):  # a name that newer data has dropped
        local, zone = moment.astimezone(ZoneInfo("UTC")), "UTC"
    short = local.tzname() or zone
    return f"{local:{_TIME.in_(language)}} {short}" + (f" ({zone})" if short != zone else "")
