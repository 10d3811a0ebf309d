"""Every mail about an account, in every language."""

import re

import pytest

from modules.auth.service.mail_texts import LINK_MAILS, NOTICES, LinkMail, Notice
from modules.auth.service.new_device import NEW_DEVICE
from modules.shared.i18n import LANGUAGES, Language, Text
from modules.shared.mail import MailTemplate

VALUES = {
    "product": "Example Product",
    "link": "https://gateway.example.org/console/#/page/secret",
    "person": "Ada Keller",
    "origin": "Firefox 128 on Linux, 192.0.2.1",
    "until": "2026-03-01 10:15 UTC",
    "device": "Firefox 128 on Linux",
    "place": "Zurich, Switzerland, 192.0.2.0/24",
    "time": "2026-03-01 10:15 CET (Europe/Zurich)",
    "code": "123456",
}
TEMPLATES: dict[str, MailTemplate] = {
    **{str(kind): template for kind, template in (*NOTICES.items(), *LINK_MAILS.items())},
    "new_device": NEW_DEVICE,
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", [*Notice, *LinkMail, "new_device"])
class TestEveryMail:
    def test_is_rendered_whole_and_says_where_to_go(self, kind: str, language: Language) -> None:
        named = set(re.findall(r"{(\w+)}", TEMPLATES[kind].body.in_(language)))
        mail = TEMPLATES[kind].render("ada@example.org", language, **VALUES | dict.fromkeys(named - VALUES.keys(), "x"))
        assert mail.language == language
        assert VALUES["product"] in mail.subject + mail.text
        assert not re.search(r"[{}]", mail.subject + mail.text)
        assert VALUES["link"] in mail.text or "code" in named
        assert mail.text.endswith("\n")

    def test_asks_for_the_same_values_in_every_language(self, kind: str, language: Language) -> None:
        template = TEMPLATES[kind]
        assert _named(template.subject, language) == _named(template.subject, "en")
        assert _named(template.body, language) == _named(template.body, "en")


class TestTheLanguages:
    @pytest.mark.parametrize("template", TEMPLATES.values(), ids=[str(kind) for kind in TEMPLATES])
    def test_are_two(self, template: MailTemplate) -> None:
        assert template.body.de != template.body.en
        assert template.subject.de != template.subject.en


def _named(text: Text, language: Language) -> set[str]:
    return set(re.findall(r"{(\w+)}", text.in_(language)))
