"""The pages of the console, judged by axe-core in a real Chromium, in light and in dark colours."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, expect
import pytest

from tests.browser.conftest import Demo, Visitor, visiting

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


class TestEveryPage:
    @pytest.mark.parametrize("colours", ["light", "dark"])
    @pytest.mark.parametrize("show", PAGES)
    async def test_has_no_serious_violation(
        self, demo: Demo, chromium: Browser, show: Callable[[Visitor], Awaitable[Page]], colours: str
    ) -> None:
        async with visiting(demo, chromium) as visitor:
            await visitor.context.add_init_script(  # a page begins as about:blank, which has no storage
                f"if (location.host) localStorage.setItem('colours', '{colours}')"
            )
            page = await show(visitor)
            await expect(page.locator("html")).to_have_attribute("data-colours", colours)
            assert await violations(page) == []

    async def test_would_be_told_what_is_wrong(self, visitor: Visitor) -> None:
        page = await sign_in_page(visitor)
        await page.evaluate("document.querySelector('label').remove()")
        assert any(each.startswith("label:") for each in await violations(page))
