"""Plain-text mails to people: what a mail is, its texts, and the two ways out (SMTP, files).

A job that sends catches nothing: `MailUnavailable` is worth another attempt, `MailRefused` is not
(`Retry(unless=(MailRefused,))`).
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid, parseaddr
import os
from pathlib import Path
import re
import ssl
from typing import Final, Protocol

import aiosmtplib
import idna

from modules.shared import clock
from modules.shared.errors import Unavailable, Unprocessable
from modules.shared.i18n import Language, Text
from modules.shared.ids import new_id
from modules.shared.settings import MailSettings

# The unquoted form of RFC 5321, section 4.1.2; quoted local parts are valid and used by nobody but attackers.
_LOCAL_PART: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN: Final = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
_LONGEST_DOMAIN: Final = 253  # RFC 1035, section 2.3.4, less the root's length byte and dot
_LONGEST_ADDRESS: Final = 254  # RFC 5321, section 4.5.3.1.3, less the angle brackets
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SENDER_OF_FILES: Final = "Mandate Gateway <mandate@localhost>"
# Lines up to the limit of RFC 5322, section 2.1.1, stay as they are, so that a link can be copied from the raw mail.
_POLICY: Final = SMTP.clone(max_line_length=998)


class MailUnavailable(Unavailable):
    """The mail could not be handed over now: no connection, a temporary answer (4xx), a login that fails."""

    code = "mail_unavailable"
    title = Text(en="Mails cannot be sent at the moment", de="Zurzeit können keine Mails versendet werden")


class MailRefused(Unprocessable):
    """The mail will never be taken: its address is none, or the server refused it for good (5xx)."""

    code = "mail_refused"
    title = Text(en="The mail cannot be delivered", de="Die Mail ist nicht zustellbar")


@dataclass(frozen=True, slots=True)
class Mail:
    """One plain-text mail to one person, in their language."""

    to: str
    subject: str
    text: str
    language: Language


@dataclass(frozen=True, slots=True)
class MailTemplate:
    """The texts of one kind of mail, with the same `{placeholders}` in every language."""

    subject: Text
    body: Text

    def render(self, to: str, language: Language, **values: object) -> Mail:
        """The mail with these values, each on one line: a name must not write paragraphs of its own."""
        lines = {name: _one_line(str(value)) for name, value in values.items()}
        return Mail(to, self.subject.in_(language, **lines), self.body.in_(language, **lines), language)


class Mailer(Protocol):
    """A way out for mails."""

    async def send(self, mail: Mail) -> None:
        """Hand the mail over; raises `MailRefused` or `MailUnavailable`."""
        ...


def new_mailer(settings: MailSettings) -> Mailer:
    """The mailer that the settings name."""
    if settings.backend == "smtp":
        return SmtpMail(settings)
    return FileMail(settings.directory, settings.sender or _SENDER_OF_FILES)


class SmtpMail:
    """Hands each mail to an SMTP server, over its own connection. `tls` replaces the system's trusted authorities."""

    def __init__(self, settings: MailSettings, tls: ssl.SSLContext | None = None) -> None:
        self._settings = settings
        self._sender = _mailbox(settings.sender)
        self._tls = tls or ssl.create_default_context()

    async def send(self, mail: Mail) -> None:
        message = compose(mail, self._sender)
        connection = self._connection()
        try:
            await connection.connect()
            await connection.send_message(message)
        except (aiosmtplib.SMTPException, OSError) as error:
            raise _refusal(error) from error
        finally:
            await _leave(connection)

    async def check(self) -> None:
        """Connect and sign in, and send nothing. Raises MailUnavailable."""
        connection = self._connection()
        try:
            await connection.connect()
        except (aiosmtplib.SMTPException, OSError) as error:
            raise MailUnavailable(reason=str(error)) from error
        finally:
            await _leave(connection)

    def _connection(self) -> aiosmtplib.SMTP:
        settings = self._settings
        return aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            username=settings.username or None,
            password=settings.password.get_secret_value() or None,
            timeout=settings.timeout.total_seconds(),
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",  # True insists: a server that offers none is an error
            tls_context=None if settings.security == "none" else self._tls,
        )


class FileMail:
    """Writes each mail into a file of its own, readable by this account only; names sort by time."""

    def __init__(self, directory: Path, sender: str) -> None:
        self._directory = directory
        self._sender = _mailbox(sender)

    async def send(self, mail: Mail) -> None:
        content = compose(mail, self._sender).as_bytes()
        try:
            await asyncio.to_thread(self._write, f"{new_id()}.eml", content)
        except OSError as error:
            raise MailUnavailable(reason=str(error)) from error

    def _write(self, name: str, content: bytes) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = self._directory / f"{name}.part"  # no reader takes it for a mail
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        unfinished.replace(self._directory / name)


def compose(mail: Mail, sender: Address) -> EmailMessage:
    """The mail as a message (RFC 5322). Whatever its parts hold, no header can be added through them."""
    message = EmailMessage(policy=_POLICY)
    message["From"] = sender
    message["To"] = _address(mail.to)
    message["Subject"] = _one_line(mail.subject)
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = make_msgid(domain=sender.domain)
    message["Content-Language"] = mail.language
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: vacation notices must not answer
    message.set_content(mail.text)
    return message


def canonical_address(address: str) -> str:
    """One spelling per mailbox: lower case, the domain in ASCII. Raises `MailRefused` for what no mail can go to."""
    found = _address(address)
    return f"{found.username}@{found.domain}".lower()


def canonical_domain(domain: str) -> str:
    """One spelling per domain: lower case, in ASCII. Raises `MailRefused` for what is none.

    By IDNA 2008, under which no two domains that can both be registered become one; 2003 made `fass` of `faß`.
    """
    try:
        plain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise MailRefused(reason="the domain is none") from error
    if len(plain) > _LONGEST_DOMAIN or not _DOMAIN.fullmatch(plain):
        raise MailRefused(reason="the domain is none")
    return plain.lower()


def _mailbox(sender: str) -> Address:
    name, address = parseaddr(sender)
    try:
        return _address(address, _one_line(name))
    except MailRefused as error:
        raise ValueError(f"[mail] sender {sender!r} is no mail address") from error


def _address(address: str, name: str = "") -> Address:
    local_part, at, domain = address.rpartition("@")
    domain = canonical_domain(domain)
    fits = len(local_part) <= 64 and len(local_part) + len(at) + len(domain) <= _LONGEST_ADDRESS
    if not (fits and _LOCAL_PART.fullmatch(local_part)):
        raise MailRefused(reason="the address is none")
    return Address(display_name=name, username=local_part, domain=domain)


def _one_line(text: str) -> str:
    return _CONTROL.sub("", " ".join(text.split()))


def _refusal(error: Exception) -> MailRefused | MailUnavailable:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        error = error.recipients[0]
    # Elsewhere (greeting, login) a 5xx is about this installation, not about this mail.
    about_the_mail = aiosmtplib.SMTPRecipientRefused | aiosmtplib.SMTPSenderRefused | aiosmtplib.SMTPDataError
    if isinstance(error, about_the_mail) and error.code >= 500:
        return MailRefused(reason=f"{error.code} {error.message}")
    return MailUnavailable(reason=str(error))


async def _leave(connection: aiosmtplib.SMTP) -> None:
    """Say goodbye; the outcome is settled before, so a server that does not answer changes nothing."""
    with suppress(aiosmtplib.SMTPException, OSError):
        if connection.is_connected:
            await connection.quit(timeout=1)
    connection.close()
