"""Long random stories of two browsers, two people and their links, told to the gateway and to a few lines that say what
must happen: the newest link of a browser counts, once, where and with what it may, and for five wrong codes.
"""

from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from tests.auth.magic_links import LinkMail, asked, verify, wrong
from tests.auth.people import Browser, Mailbox, account
from tests.auth.test_registration import configured, count
from tests.support.gateway import RunningGateway
from tests.support.postgres import DatabaseUrls

STEPS = 30
PEOPLE = ("ada@example.org", "bob@example.org")
WIDE = {
    "rate_limits__login_per_address": "100000/minute",
    "rate_limits__mail_per_recipient_hour": "1000/hour",
    "rate_limits__mail_per_recipient_day": "1000/day",
    "rate_limits__code_failures_per_recipient": "1000/day",
}


@dataclass
class Link:
    """A link as it must behave."""

    mail: LinkMail
    asked_by: int
    tries: int = 5
    over: bool = False

    def may_try(self) -> bool:
        self.tries -= 1
        return self.tries >= 0


@dataclass
class Story:
    """What happened so far."""

    gateway: RunningGateway
    chance: Random
    flows: list[str | None] = field(default_factory=lambda: [None, None])
    newest: dict[int, Link] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    mails: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PEOPLE, 0))
    sessions: int = 0

    def browser(self, number: int) -> Browser:
        """With the flow alone: signed-in and known browsers have tests of their own."""
        browser = Browser(self.gateway)
        if flow := self.flows[number]:
            browser.cookies.set("flow", flow, domain="127.0.0.1", path="/")
        return browser

    async def ask(self) -> None:
        number, email = self.chance.randrange(2), self.chance.choice(PEOPLE)
        browser = self.browser(number)
        self.mails[email] += 1
        mail = await asked(browser, Mailbox(self.gateway), email, self.mails[email])
        self.flows[number] = browser.cookie("flow")
        if number in self.newest:
            self.newest[number].over = True
        self.newest[number] = Link(mail, number)
        self.links.append(self.newest[number])

    async def open(self, link: Link, number: int, code: str | None) -> None:
        """Use a link in a browser, perhaps with a code."""
        proof = {"token": link.mail.token} | ({"code": code} if code else {})
        status = (await verify(self.browser(number), **proof)).status_code
        if link.over:
            assert status == 422
        elif number == link.asked_by and self.flows[number]:
            self.end(link, status)
        elif code is None:
            assert status == 403
        elif link.may_try() and code == link.mail.digits:
            self.end(link, status)
        else:
            assert status == 401

    async def type(self, code: str, number: int) -> None:
        """Type a code without its link."""
        status = (await verify(self.browser(number), code=code)).status_code
        link = self.newest.get(number)
        if link and not link.over and link.may_try() and code == link.mail.code:
            self.end(link, status)
        else:
            assert status == 401

    def end(self, link: Link, status: int) -> None:
        assert status == 200
        link.over = True
        self.sessions += 1

    async def step(self) -> None:
        if not self.links or self.chance.random() < 0.3:
            await self.ask()
            return
        link, number = self.chance.choice(self.links[-3:]), self.chance.randrange(2)
        mail = link.mail
        if self.chance.random() < 0.5:
            code = self.chance.choice([None, wrong(mail.digits), wrong(mail.digits), mail.digits, mail.code])
            await self.open(link, number, code)
        else:
            await self.type(self.chance.choice([wrong(mail.code), wrong(mail.code), mail.code, mail.digits]), number)
        assert await count(self.gateway, "sessions") == self.sessions


@pytest.mark.parametrize("seed", range(2))
async def test_every_story_goes_as_it_must(database_urls: DatabaseUrls, tmp_path: Path, seed: int) -> None:
    async with configured(database_urls, tmp_path, **WIDE) as gateway:
        for email in PEOPLE:
            await account(gateway, email)
        story = Story(gateway, Random(seed))
        for _ in range(STEPS):
            await story.step()
        assert story.sessions > 0
