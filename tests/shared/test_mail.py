"""Mails: what they look like on the wire, and how each answer of a real SMTP server ends."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
import stat

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from pydantic import SecretStr
import pytest

from modules.shared.i18n import Text
from modules.shared.mail import FileMail, Mail, MailRefused, MailTemplate, MailUnavailable, SmtpMail, new_mailer
from modules.shared.settings import MailSettings
from tests.support.certificates import Certificate, new_certificate

SENDER = "Mandate Gateway <mandate@example.org>"
LONG_LINK = "https://example.org/magic-link#token=" + "a" * 300
MAIL = Mail("ada@example.org", "Grüße", f"Schöne Grüße\n{LONG_LINK}\n", "de")


class Mailbox:
    """The server's side: answers with `rcpt` and `data` and keeps what it accepted."""

    def __init__(self, *, rcpt: str = "250 OK", data: str = "250 OK") -> None:
        self.rcpt = rcpt
        self.data = data
        self.accepted: list[EmailMessage] = []

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.rcpt.startswith("2"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.data.startswith("2"):
            assert isinstance(envelope.content, bytes)
            self.accepted.append(message_from_bytes(envelope.content, _class=EmailMessage, policy=default))
        return self.data


@asynccontextmanager
async def served(protocol: Callable[[], asyncio.BaseProtocol]) -> AsyncIterator[int]:
    """A server on a free port of this machine."""
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def smtp_settings(port: int, **changes: object) -> MailSettings:
    plain: dict[str, object] = {"backend": "smtp", "host": "127.0.0.1", "security": "none", "sender": SENDER}
    return MailSettings.model_validate({**plain, "port": port, "timeout": timedelta(seconds=5), **changes})


async def send_to(mailbox: Mailbox, mail: Mail = MAIL) -> None:
    async with served(lambda: SMTP(mailbox)) as port:
        await SmtpMail(smtp_settings(port)).send(mail)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return new_certificate(tmp_path_factory.mktemp("certificate"))


class TestMail:
    async def test_arrives_with_its_subject_and_text(self) -> None:
        mailbox = Mailbox()
        await send_to(mailbox)
        (message,) = mailbox.accepted
        assert message["Subject"] == MAIL.subject
        assert message.get_content().splitlines() == MAIL.text.splitlines()

    async def test_says_who_sent_it_when_and_that_a_program_did(self) -> None:
        mailbox = Mailbox()
        await send_to(mailbox)
        (message,) = mailbox.accepted
        assert message["From"] == SENDER
        assert message["Auto-Submitted"] == "auto-generated"
        assert message["Message-ID"].endswith("@example.org>")
        assert message["Date"].datetime.tzinfo is not None

    @pytest.mark.parametrize("separator", ["\r\n", "\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\0\r\n"])
    async def test_takes_no_header_from_its_subject(self, separator: str) -> None:
        mailbox = Mailbox()
        await send_to(mailbox, Mail("ada@example.org", f"Hello{separator}Bcc: eve@example.org", "text", "en"))
        (message,) = mailbox.accepted
        assert message["Bcc"] is None
        assert message["Subject"] == "Hello Bcc: eve@example.org"

    @pytest.mark.parametrize(
        "address",
        [
            "",
            "ada",
            "@example.org",
            "ada@",
            "ada@example.org\r\nBcc: eve@example.org",
            "ada@example.org, eve@example.org",
            "ada@example.org eve@example.org",
            "Ada <ada@example.org>",
            "ada@[127.0.0.1]",
            '"ada b"@example.org',
            "ada..b@example.org",
            "ada@-example.org",
            "ada@exam ple.org",
            f"{'a' * 65}@example.org",
            f"ada@{'a' * 64}.org",
            f"ada@{'a.' * 130}org",
        ],
    )
    async def test_is_refused_for_what_is_no_address(self, address: str) -> None:
        mailbox = Mailbox()
        with pytest.raises(MailRefused):
            await send_to(mailbox, Mail(address, "subject", "text", "en"))
        assert mailbox.accepted == []

    async def test_reaches_a_domain_with_an_umlaut(self) -> None:
        mailbox = Mailbox()
        await send_to(mailbox, Mail("ada@müller.example", "subject", "text", "en"))
        assert mailbox.accepted[0]["To"] == "ada@xn--mller-kva.example"


class TestSmtpMail:
    @pytest.mark.parametrize(
        "mailbox", [Mailbox(rcpt="550 no such user"), Mailbox(data="554 spam")], ids=["recipient", "content"]
    )
    async def test_says_refused_when_the_server_refuses_for_good(self, mailbox: Mailbox) -> None:
        with pytest.raises(MailRefused):
            await send_to(mailbox)

    @pytest.mark.parametrize(
        "mailbox", [Mailbox(rcpt="450 greylisted"), Mailbox(data="451 disk full")], ids=["recipient", "content"]
    )
    async def test_says_unavailable_when_the_server_refuses_for_now(self, mailbox: Mailbox) -> None:
        with pytest.raises(MailUnavailable):
            await send_to(mailbox)

    async def test_says_unavailable_when_nobody_listens(self) -> None:
        async with served(asyncio.Protocol) as port:
            pass
        with pytest.raises(MailUnavailable):
            await SmtpMail(smtp_settings(port)).send(MAIL)

    async def test_says_unavailable_when_the_server_says_nothing(self) -> None:
        async with served(asyncio.Protocol) as port:
            settings = smtp_settings(port, timeout=timedelta(seconds=0.2))
            with pytest.raises(MailUnavailable):
                await SmtpMail(settings).send(MAIL)

    async def test_says_unavailable_when_the_server_turns_everybody_away(self) -> None:
        class Closed(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                assert isinstance(transport, asyncio.Transport)
                transport.write(b"554 no service\r\n")
                transport.close()

        async with served(Closed) as port:
            with pytest.raises(MailUnavailable):
                await SmtpMail(smtp_settings(port)).send(MAIL)

    async def test_encrypts_by_starttls(self, certificate: Certificate) -> None:
        mailbox = Mailbox()
        async with served(lambda: SMTP(mailbox, tls_context=certificate.server, require_starttls=True)) as port:
            await SmtpMail(smtp_settings(port, security="starttls"), certificate.client).send(MAIL)
        assert len(mailbox.accepted) == 1

    async def test_sends_nothing_unencrypted_where_starttls_is_asked_for(self, certificate: Certificate) -> None:
        mailbox = Mailbox()
        async with served(lambda: SMTP(mailbox)) as port:
            with pytest.raises(MailUnavailable):
                await SmtpMail(smtp_settings(port, security="starttls"), certificate.client).send(MAIL)
        assert mailbox.accepted == []

    async def test_sends_nothing_to_a_server_whose_certificate_nobody_vouches_for(
        self, certificate: Certificate
    ) -> None:
        mailbox = Mailbox()
        async with served(lambda: SMTP(mailbox, tls_context=certificate.server)) as port:
            with pytest.raises(MailUnavailable):
                await SmtpMail(smtp_settings(port, security="starttls")).send(MAIL)
        assert mailbox.accepted == []

    async def test_encrypts_from_the_first_byte_where_tls_is_asked_for(self, certificate: Certificate) -> None:
        mailbox = Mailbox()
        server = await asyncio.get_running_loop().create_server(
            lambda: SMTP(mailbox), "127.0.0.1", 0, ssl=certificate.server
        )
        async with server:
            port = server.sockets[0].getsockname()[1]
            await SmtpMail(smtp_settings(port, security="tls"), certificate.client).send(MAIL)
        assert len(mailbox.accepted) == 1

    @pytest.mark.parametrize(("password", "accepted"), [("right", 1), ("wrong", 0)])
    async def test_signs_in_and_takes_a_failed_login_for_a_fault_of_its_own(
        self, certificate: Certificate, password: str, accepted: int
    ) -> None:
        def authenticate(
            _server: SMTP, _session: Session, _envelope: Envelope, _kind: str, given: object
        ) -> AuthResult:
            right = isinstance(given, LoginPassword) and given.password == b"right"
            return AuthResult(success=right, handled=False)

        mailbox = Mailbox()
        server = lambda: SMTP(  # noqa: E731
            mailbox, tls_context=certificate.server, auth_required=True, authenticator=authenticate
        )
        async with served(server) as port:
            settings = smtp_settings(port, security="starttls", username="login", password=SecretStr(password))
            sending = SmtpMail(settings, certificate.client).send(MAIL)
            if accepted:
                await sending
            else:
                with pytest.raises(MailUnavailable):
                    await sending
        assert len(mailbox.accepted) == accepted

    async def test_counts_a_mail_as_sent_whatever_the_server_does_afterwards(self) -> None:
        class Sulky(SMTP):
            async def smtp_QUIT(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
                assert isinstance(self.transport, asyncio.Transport)
                self.transport.abort()

        mailbox = Mailbox()
        async with served(lambda: Sulky(mailbox)) as port:
            await SmtpMail(smtp_settings(port)).send(MAIL)
        assert len(mailbox.accepted) == 1

    def test_refuses_a_sender_that_is_no_address(self) -> None:
        with pytest.raises(ValueError, match="sender"):
            SmtpMail(smtp_settings(25, sender="nobody"))


class TestFileMail:
    async def test_writes_one_file_per_mail_for_this_account_only(self, tmp_path: Path) -> None:
        mailer = FileMail(tmp_path / "mail", SENDER)
        await mailer.send(MAIL)
        await mailer.send(MAIL)
        files = sorted((tmp_path / "mail").iterdir())
        assert [file.suffix for file in files] == [".eml", ".eml"]
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        assert stat.S_IMODE((tmp_path / "mail").stat().st_mode) == 0o700

    async def test_leaves_a_long_link_in_one_piece(self, tmp_path: Path) -> None:
        await FileMail(tmp_path, SENDER).send(MAIL)
        (file,) = tmp_path.iterdir()
        assert LONG_LINK in file.read_text(encoding="utf-8")

    async def test_says_unavailable_when_it_cannot_write(self, tmp_path: Path) -> None:
        (tmp_path / "mail").write_text("a file where the directory should be")
        with pytest.raises(MailUnavailable):
            await FileMail(tmp_path / "mail", SENDER).send(MAIL)


class TestNewMailer:
    def test_makes_what_the_settings_name(self, tmp_path: Path) -> None:
        assert isinstance(new_mailer(MailSettings(directory=tmp_path)), FileMail)
        assert isinstance(new_mailer(smtp_settings(25)), SmtpMail)


class TestMailTemplate:
    def test_is_filled_in_the_language_of_the_reader(self) -> None:
        template = MailTemplate(
            subject=Text(en="Hello {name}", de="Hallo {name}"), body=Text(en="Link: {link}", de="Verweis: {link}")
        )
        mail = template.render("ada@example.org", "de", name="Ada {x}", link="https://example.org")
        assert mail == Mail("ada@example.org", "Hallo Ada {x}", "Verweis: https://example.org", "de")

    def test_lets_no_value_write_lines_of_its_own(self) -> None:
        template = MailTemplate(subject=Text(en="From {name}", de="Von {name}"), body=Text(en="{name} wrote.", de=""))
        mail = template.render("ada@example.org", "en", name="Ada\n\nPay here:\r\nhttps://example.com")
        assert mail.text == "Ada Pay here: https://example.com wrote."
