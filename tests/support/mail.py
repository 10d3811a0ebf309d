"""A way out for mails that keeps them, so that a test can read what a person would have got."""

from email.headerregistry import Address

from modules.shared.mail import Mail, compose

_SENDER = Address("Mandate Gateway", "mandate", "example.org")


class RecordingMail:
    """Refuses what every way out refuses, and keeps the rest in `mails`, the oldest first."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []

    async def send(self, mail: Mail) -> None:
        compose(mail, _SENDER)
        self.mails.append(mail)

    def to(self, address: str) -> list[Mail]:
        return [mail for mail in self.mails if mail.to == address]
