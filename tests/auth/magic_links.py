"""Asking for links that sign in, and using them."""

import re
from typing import NamedTuple

import httpx

from tests.auth.people import Browser, Mailbox
from tests.support.gateway import RunningGateway
from tests.support.waiting import eventually

ASK = "/auth/magic-link"
VERIFY = "/auth/magic-link/verify"


class LinkMail(NamedTuple):
    """What a mail holds that signs in."""

    token: str
    digits: str
    code: str
    text: str


async def ask(browser: Browser, email: str, **more: str) -> httpx.Response:
    return await browser.post(ASK, json={"email": email, **more})


async def verify(browser: Browser, **proof: str) -> httpx.Response:
    return await browser.post(VERIFY, json=proof)


async def mailed(mailbox: Mailbox, email: str, count: int = 1) -> LinkMail:
    """The newest mail with such a link to an address, once there are so many."""
    await eventually(lambda: len(with_links(mailbox, email)) >= count)
    text = with_links(mailbox, email)[-1]
    token = re.search(r"#/magic-link/([\w-]{43})\s", text)
    digits = re.search(r"\b(\d{3} \d{3})\b", text)
    code = re.search(r"\b([0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4})\s", text)
    assert token is not None
    assert digits is not None
    assert code is not None
    return LinkMail(token[1], digits[1], code[1], text)


def with_links(mailbox: Mailbox, email: str) -> list[str]:
    """The mails to an address that have links to sign in with."""
    return [text for text in mailbox.to(email) if "#/magic-link/" in text]


async def asked(browser: Browser, mailbox: Mailbox, email: str, count: int = 1) -> LinkMail:
    """Ask, and read the mail."""
    assert (await ask(browser, email)).status_code == 202
    return await mailed(mailbox, email, count)


def wrong(code: str) -> str:
    """Another code of the same form."""
    return ("2" if code[0] != "2" else "3") + code[1:]


async def eventually_no_jobs(gateway: RunningGateway) -> None:
    """Wait until the worker has nothing left to do."""

    async def idle() -> bool:
        return not await gateway.sql("SELECT 1 FROM jobs.procrastinate_jobs WHERE status IN ('todo', 'doing')")

    await eventually(idle)
