"""The pages of the console, judged by axe-core in a real Chromium, in light and in dark colours."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, expect
import pytest

from tests.browser.conftest import Demo, Visitor, visiting
from tests.browser.house import House, connect, open_account, open_house
from tests.support.postgres import FreshDatabases

pytestmark = pytest.mark.browser

AXE = (Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


async def sign_in_page(visitor: Visitor) -> Page:
    page = await visitor.tab()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    return page


async def refused_sign_in_page(visitor: Visitor) -> Page:
    page = await sign_in_page(visitor)
    await page.get_by_label("Mail address").fill("max@example.org")
    await page.get_by_label("Password").fill("not the password")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("login_failed")
    visitor.expect_complaint("401")
    return page


async def register_page(visitor: Visitor) -> Page:
    page = await visitor.tab("/console/#/register")
    await expect(page.get_by_label("New password")).to_be_visible()
    return page


async def choose_mandate_page(visitor: Visitor) -> Page:
    page = await visitor.sign_in("max")
    await expect(page.get_by_role("button", name="Baltic Trading")).to_be_visible()
    return page


async def context_page(visitor: Visitor) -> Page:
    await visitor.sign_in("max")
    page = await visitor.work_in("alpine")
    await expect(page.locator("#invoices table")).to_be_visible()
    return page


PAGES: list[Callable[[Visitor], Awaitable[Page]]] = [
    sign_in_page,
    refused_sign_in_page,
    register_page,
    choose_mandate_page,
    context_page,
]


async def violations(page: Page) -> list[str]:
    """What axe finds of serious or critical impact: the rule, the element, and what is wrong with it."""
    await page.evaluate(AXE)
    found: dict[str, Any] = await page.evaluate(
        "(rules) => axe.run(document, {runOnly: {type: 'tag', values: rules}})", RULES
    )
    assert len(found["passes"]) > 5  # it did look
    return [
        f"{each['id']}: {node['html']}: {node['failureSummary']}"
        for each in found["violations"]
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
    ]


async def sign_in_page_with_every_way(visitor: Visitor) -> Page:
    page = await visitor.tab()
    await expect(page.get_by_role("link", name="Sign in with Google")).to_be_visible()
    return page


async def mail_sent_page(visitor: Visitor) -> Page:
    page = await visitor.tab("/console/#/mail-sent")
    await expect(page.get_by_label("Code of the mail")).to_be_visible()
    return page


async def second_factor_page(visitor: Visitor) -> Page:
    page = await visitor.tab("/console/#/second-factor")
    await expect(page.get_by_label("Code of your authenticator app")).to_be_visible()
    return page


async def sign_in_error_page(visitor: Visitor) -> Page:
    page = await visitor.tab("/console/#/sign-in-error/provider_refused")
    await expect(page.get_by_role("alert")).to_be_visible()
    return page


async def account_page(visitor: Visitor) -> Page:
    page = await visitor.sign_in("bert")
    await open_account(page)
    return page


async def api_key_dialog(visitor: Visitor) -> Page:
    page = await account_page(visitor)
    await page.get_by_role("button", name="Make an API key").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    return page


async def app_dialog(visitor: Visitor) -> Page:
    page = await account_page(visitor)
    await page.get_by_role("button", name="Set up an app").click()
    await expect(page.get_by_role("dialog").get_by_role("img")).to_be_visible()
    return page


async def connections_page(visitor: Visitor) -> Page:
    """With what an administrator sees of others, one that the provider has ended, and what is said on coming back."""
    house = visitor.demo
    assert isinstance(house, House)
    house.change("DELETE FROM connections")
    await visitor.sign_in("bert")
    page = await visitor.tab("/console/#/m/baltic/connections")
    await connect(page, "Google", "max")
    await expect(page.get_by_text("Google is connected.")).to_be_visible()
    house.change("UPDATE connections SET user_id = (SELECT id FROM users WHERE email = 'max@example.org')")
    await page.reload()
    await connect(page, "Microsoft", "mia")
    await expect(page.get_by_text("Microsoft is connected.")).to_be_visible()
    house.change("UPDATE connections SET state = 'broken' WHERE provider = 'microsoft'")
    await connect(page, "Google", "gina")
    await expect(page.get_by_text("Google is connected.")).to_be_visible()
    await expect(page.locator("#other-connections .rows")).to_be_visible()
    return page


async def connection_dialog(visitor: Visitor) -> Page:
    await visitor.sign_in("max")
    page = await visitor.tab("/console/#/m/alpine/connections")
    await page.get_by_role("button", name="Connect Google").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    return page


async def connection_refused_page(visitor: Visitor) -> Page:
    await visitor.sign_in("max")
    page = await visitor.tab("/console/#/m/alpine/connections")
    await connect(page, "Google", "Cancel")
    await expect(page.get_by_role("alert")).to_be_visible()
    return page


PAGES_OF_THE_HOUSE: list[Callable[[Visitor], Awaitable[Page]]] = [
    sign_in_page_with_every_way,
    mail_sent_page,
    second_factor_page,
    sign_in_error_page,
    account_page,
    api_key_dialog,
    app_dialog,
    connections_page,
    connection_dialog,
    connection_refused_page,
]


@pytest.fixture(scope="module")
def house(fresh_databases: FreshDatabases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(fresh_databases, tmp_path_factory) as opened:
        yield opened


async def judge(demo: Demo, browser: Browser, show: Callable[[Visitor], Awaitable[Page]], colours: str) -> list[str]:
    """What is wrong with a page in these colours."""
    async with visiting(demo, browser) as visitor:
        await visitor.context.add_init_script(  # a page begins as about:blank, which has no storage
            f"if (location.host) localStorage.setItem('colours', '{colours}')"
        )
        page = await show(visitor)
        await expect(page.locator("html")).to_have_attribute("data-colours", colours)
        return await violations(page)


class TestEveryPage:
    @pytest.mark.parametrize("colours", ["light", "dark"])
    @pytest.mark.parametrize("show", PAGES)
    async def test_has_no_serious_violation(
        self, demo: Demo, chromium: Browser, show: Callable[[Visitor], Awaitable[Page]], colours: str
    ) -> None:
        assert await judge(demo, chromium, show, colours) == []

    @pytest.mark.parametrize("colours", ["light", "dark"])
    @pytest.mark.parametrize("show", PAGES_OF_THE_HOUSE)
    async def test_of_a_way_in_has_no_serious_violation(
        self, house: House, chromium: Browser, show: Callable[[Visitor], Awaitable[Page]], colours: str
    ) -> None:
        assert await judge(house, chromium, show, colours) == []

    async def test_would_be_told_what_is_wrong(self, visitor: Visitor) -> None:
        page = await sign_in_page(visitor)
        await page.evaluate("document.querySelector('label').remove()")
        assert any(each.startswith("label:") for each in await violations(page))
