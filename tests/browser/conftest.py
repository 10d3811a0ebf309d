"""The demo, served, and real browsers to visit it with. Every test also fails for an error in a browser's console."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
import re

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, Page, async_playwright, expect
import pytest

from tests.support.commands import Program, environment_for, free_port, started, wait_until
from tests.support.parts import require_part
from tests.support.postgres import FreshDatabases

CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
)
PATIENCE_MILLISECONDS = 15_000
expect.set_options(timeout=PATIENCE_MILLISECONDS)  # a page is some forty requests, on a machine that has more to do


@dataclass(frozen=True, slots=True)
class Demo:
    """The demo as a visitor knows it."""

    program: Program
    password: str
    mails: Path

    @property
    def url(self) -> str:
        return self.program.url

    def mail_to(self, address: str, pattern: str) -> str:
        """What the first group of `pattern` finds in the newest mail to `address` that has it, once there is one."""
        found: list[str] = []

        def look() -> bool:
            for mail in sorted(self.mails.glob("*.eml")):
                text = mail.read_text(encoding="utf-8")
                if f"To: {address}" in text:
                    found.extend(re.findall(pattern, text))
            return bool(found)

        wait_until(look, seconds=20)
        return found[-1]

    def link_mailed_to(self, address: str, page: str) -> str:
        """The link to a page of the console in a mail to `address`, once it was sent."""
        return self.mail_to(address, rf"(http\S+#/{page}/\S+)")


class Visitor:
    """One browser with its cookies; `tab` opens pages in it and watches their consoles."""

    def __init__(self, demo: Demo, context: BrowserContext, complaints: list[str]) -> None:
        self.demo = demo
        self.context = context
        self._complaints = complaints
        context.on("page", self._watch)

    def _watch(self, page: Page) -> None:
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self._complaints.append(str(error)))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._complaints.append(message.text)

    def expect_complaint(self, part: str) -> None:
        """Take away a complaint that a test provoked, such as a refused request that Chromium notes."""
        found = [complaint for complaint in self._complaints if part in complaint]
        assert found, f"nobody complained about {part}: {self._complaints}"
        for complaint in found:
            self._complaints.remove(complaint)

    async def tab(self, address: str = "/console/") -> Page:
        page = await self.context.new_page()
        await page.goto(f"{self.demo.url}{address}")
        return page

    async def sign_in(self, name: str) -> Page:
        """A tab in which somebody has signed in."""
        page = await self.tab()
        await enter(page, f"{name}@example.org", self.demo.password)
        await expect(page.locator("[data-action=signOut]")).to_be_visible()
        return page

    async def work_in(self, slug: str) -> Page:
        """A tab that works in a mandate."""
        page = await self.tab(f"/console/#/m/{slug}")
        await expect(page.locator("#permissions")).to_be_visible()
        return page


async def enter(page: Page, email: str, password: str) -> None:
    """Fill in the sign-in form and send it."""
    await page.get_by_label("Mail address").fill(email)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()


@pytest.fixture(scope="module")
def demo(fresh_databases: FreshDatabases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    directory, port = tmp_path_factory.mktemp("demo"), free_port()
    settings = {
        "http__port": str(port),
        "logging__level": "WARNING",
        "rate_limits__default": "100000/minute",
        "rate_limits__login_per_address": "1000/minute",
        "rate_limits__login_per_account": "1000/minute",
    }
    with fresh_databases.copy() as urls:
        environment = environment_for(urls, directory, **settings)
        host = ("-m", "tests.support.demo_host")
        with started(environment=environment, directory=directory, port=port, program=host) as program:
            yield Demo(program, (directory / "demo-password").read_text(encoding="ascii").strip(), directory / "mail")
            program.stop()


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    program = require_part("chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=CHROMIUM_ARGUMENTS)
        yield browser
        await browser.close()


@asynccontextmanager
async def visiting(demo: Demo, browser: Browser, *, locale: str = "en-GB", width: int = 1100) -> AsyncIterator[Visitor]:
    complaints: list[str] = []
    context = await browser.new_context(locale=locale, viewport={"width": width, "height": 900})
    context.set_default_timeout(PATIENCE_MILLISECONDS)
    yield Visitor(demo, context, complaints)
    try:
        await context.close()
    except Error as error:
        complaints.append(str(error))
    assert complaints == []


@pytest.fixture
async def visitor(demo: Demo, chromium: Browser) -> AsyncIterator[Visitor]:
    async with visiting(demo, chromium) as somebody:
        yield somebody
