"""Links that sign in, while a mail scanner is quicker: it asks for the page, opens it in a browser and presses whatever
it finds. The person still gets in, and the scanner holds nothing.
"""

import asyncio
import re
from typing import NamedTuple
from urllib.parse import urldefrag

import httpx
from playwright.async_api import Browser, Page, expect
import pytest

from tests.browser.conftest import Demo, Visitor, visiting
from tests.support.commands import wait_until

pytestmark = pytest.mark.browser

_ASK = """(email) => fetch("/api/v1/auth/magic-link", {
    method: "POST",
    headers: {"Content-Type": "application/json", "X-Requested-With": "test"},
    body: JSON.stringify({email}),
}).then((answer) => answer.status)"""


class Mailed(NamedTuple):
    """The parts of the mail that sign in."""

    link: str
    digits: str
    code: str


async def asked(page: Page, demo: Demo, email: str) -> Mailed:
    """Ask in this browser, and read the mail."""
    assert await page.evaluate(_ASK, email) == 202
    return await asyncio.to_thread(mail_to, demo, email)


def mail_to(demo: Demo, email: str) -> Mailed:
    found: list[Mailed] = []

    def look() -> bool:
        for file in sorted(demo.mails.glob("*.eml")):
            text = file.read_text(encoding="utf-8")
            link = re.search(r"http\S+#/magic-link/\S+", text)
            if f"To: {email}" in text and link:
                codes = re.search(r"(\d{3} \d{3})\b.*?\b([0-9A-Z]{4}-[0-9A-Z]{4})\b", text, re.DOTALL)
                assert codes is not None
                found.append(Mailed(link[0], codes[1], codes[2]))
        return bool(found)

    wait_until(look, seconds=20)
    return found[-1]


async def scanned(demo: Demo, chromium: Browser, link: str) -> None:
    """What a scanner does with a link before the mail is read. It must end without a session."""
    address, fragment = urldefrag(link)
    token = fragment.rpartition("/")[2]
    async with httpx.AsyncClient(follow_redirects=True) as client:
        for method in ("HEAD", "GET"):
            for url in (address, f"{address}?token={token}", f"{demo.url}/api/v1/auth/magic-link/verify?token={token}"):
                await client.request(method, url)
        assert not client.cookies
    async with visiting(demo, chromium) as scanner:
        page = await scanner.tab()
        await page.goto(link)
        await press_everything(page)
        await expect(page.get_by_role("alert")).to_contain_text("code_required")
        for box in await page.get_by_role("textbox").all():
            await box.fill("123456")
        await page.locator("main form button").click()
        await expect(page.get_by_role("alert")).to_contain_text("code_not_valid")
        names = {cookie["name"] for cookie in await scanner.context.cookies()}
        assert not names & {"auth_token", "refresh_token", "pending"}
        assert (await scanner.context.request.get(f"{demo.url}/api/v1/users/me")).status == 401
        scanner.expect_complaint("403")
        scanner.expect_complaint("401")


async def press_everything(page: Page) -> None:
    """Press every button there is."""
    await expect(page.locator("main form button")).to_be_visible()
    for button in await page.get_by_role("button").all():
        await button.click()
        await expect(page.locator("main form button")).to_be_enabled()


class TestAfterAScanner:
    async def test_the_person_gets_in_where_they_asked(self, visitor: Visitor, demo: Demo, chromium: Browser) -> None:
        page = await visitor.tab()
        mail = await asked(page, demo, "max@example.org")
        await scanned(demo, chromium, mail.link)
        await page.goto(mail.link)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("heading", name="Choose the mandate")).to_be_visible()
        await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        assert "magic-link" not in page.url

    async def test_the_person_gets_in_elsewhere_with_the_digits(
        self, visitor: Visitor, demo: Demo, chromium: Browser
    ) -> None:
        mail = await asked(await visitor.tab(), demo, "vera@example.org")
        await scanned(demo, chromium, mail.link)
        async with visiting(demo, chromium) as telephone:
            page = await telephone.tab()
            await page.goto(mail.link)
            await page.get_by_role("button", name="Sign in").click()
            await page.get_by_label("The six digits").fill(mail.digits)
            await page.get_by_role("button", name="Sign in").click()
            await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
            telephone.expect_complaint("403")

    async def test_somebody_new_gets_an_account_and_the_scanner_none(
        self, visitor: Visitor, demo: Demo, chromium: Browser
    ) -> None:
        page = await visitor.tab()
        mail = await asked(page, demo, "newcomer@example.org")
        await scanned(demo, chromium, mail.link)
        await page.goto(mail.link)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_text("You are in no mandate yet.")).to_be_visible()
