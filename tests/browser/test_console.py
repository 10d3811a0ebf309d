"""The console in a real Chromium: tabs in different mandates, one session for all of them, and the links of mails."""

import asyncio
import json

from playwright.async_api import Browser, Page, Request, Route, expect
import pytest

from tests.browser.conftest import Demo, Visitor, enter, visiting

pytestmark = pytest.mark.browser


async def asked_to_become(visitor: Visitor, new: str) -> str:
    """The link that somebody new gets who, having registered, wants this address instead."""
    page = await visitor.tab("/console/#/register")
    await page.get_by_label("Mail address").fill(f"was-{new}")
    await page.get_by_label("New password").fill("two rivers meet here")
    await page.get_by_role("button", name="Register").click()
    await expect(page.get_by_text("Look at your mails")).to_be_visible()
    await page.goto(await asyncio.to_thread(visitor.demo.link_mailed_to, f"was-{new}", "verify-email"))
    await page.get_by_role("button", name="Confirm").click()
    await expect(page.get_by_text("You are in no mandate yet.")).to_be_visible()
    headers = {"Content-Type": "application/json", "X-Requested-With": "test"}
    how = {"method": "POST", "headers": headers, "body": json.dumps({"email": new})}
    assert (
        await page.evaluate("how => fetch('/api/v1/users/me/email', how).then((answer) => answer.status)", how) == 202
    )
    return await asyncio.to_thread(visitor.demo.link_mailed_to, new, "verify-email")


async def numbers(page: Page) -> list[str]:
    """The invoices shown."""
    await expect(page.locator("#invoices table")).to_be_visible()
    return await page.locator("#invoices tbody td:first-child").all_inner_texts()


async def level(page: Page, item: str, column: int) -> str | None:
    """What the table of permissions says; columns as view, create, read, update, delete."""
    return (
        await page.locator(f'#permissions tr[data-item="{item}"] td[data-level]')
        .nth(column)
        .get_attribute("data-level")
    )


async def ask_again(page: Page) -> None:
    """Have the page ask for its context anew, and wait until it shows the answer."""
    async with page.expect_response(lambda answer: answer.url.endswith("/api/v1/context")):
        await page.get_by_role("button", name="Ask again").click()


class TestTwoTabs:
    async def test_work_in_two_mandates_with_one_cookie(self, visitor: Visitor) -> None:
        await visitor.sign_in("max")
        alpine, baltic = await visitor.work_in("alpine"), await visitor.work_in("baltic")
        await asyncio.gather(ask_again(alpine), ask_again(baltic))
        assert await numbers(alpine) == ["A-1001", "A-1002", "A-1004"]
        assert await numbers(baltic) == ["B-2001", "B-2002", "B-2003"]
        assert (await level(alpine, "invoices", 3), await level(baltic, "invoices", 3)) == ("group", "my")

    async def test_show_whose_data_they_show(self, visitor: Visitor) -> None:
        await visitor.sign_in("max")
        alpine, baltic = await visitor.work_in("alpine"), await visitor.work_in("baltic")
        await expect(alpine.locator("header .where")).to_have_text("Alpine Software GmbH")
        await expect(baltic.locator("header .where")).to_have_text("Baltic Trading")
        await expect(alpine.locator("header")).to_have_css("border-top-color", "rgb(47, 111, 79)")
        await expect(baltic.locator("header")).to_have_css("border-top-color", "rgb(138, 75, 31)")

    async def test_end_together_when_one_signs_out(self, visitor: Visitor) -> None:
        await visitor.sign_in("max")
        alpine, baltic = await visitor.work_in("alpine"), await visitor.work_in("baltic")
        await alpine.get_by_role("button", name="Sign out").click()
        await expect(baltic.get_by_text("You signed out in another tab.")).to_be_visible()
        await expect(alpine.get_by_role("heading", name="Sign in")).to_be_visible()
        answer = await visitor.context.request.get(f"{visitor.demo.url}/api/v1/mandates")
        assert answer.status == 401

    async def test_renew_the_session_once_for_both(self, visitor: Visitor) -> None:
        await visitor.sign_in("max")
        alpine, baltic = await visitor.work_in("alpine"), await visitor.work_in("baltic")
        renewals: list[Request] = []

        async def answer_slowly(route: Route, request: Request) -> None:
            renewals.append(request)
            await asyncio.sleep(0.5)
            await route.continue_()

        await visitor.context.route("**/auth/refresh", answer_slowly)
        await alpine.evaluate("localStorage.setItem('session-expires', '0')")
        await asyncio.gather(ask_again(alpine), ask_again(baltic))
        assert len(renewals) == 1
        assert len(await numbers(alpine)) == len(await numbers(baltic)) == 3

    async def test_both_stay_signed_in_when_they_renew_at_the_same_instant(self, visitor: Visitor) -> None:
        await visitor.sign_in("max")
        alpine, baltic = await visitor.work_in("alpine"), await visitor.work_in("baltic")
        renew = """() => fetch("/api/v1/auth/refresh", {method: "POST", headers: {"X-Requested-With": "test"}})
            .then((answer) => answer.status)"""
        answers = await asyncio.gather(alpine.evaluate(renew), baltic.evaluate(renew))
        assert set(answers) == {200}
        await asyncio.gather(ask_again(alpine), ask_again(baltic))
        assert len(await numbers(alpine)) == len(await numbers(baltic)) == 3

    async def test_go_on_when_the_token_was_lost(self, visitor: Visitor) -> None:
        await visitor.sign_in("max")
        alpine = await visitor.work_in("alpine")
        await visitor.context.clear_cookies(name="auth_token")
        await alpine.get_by_role("button", name="Ask again").click()
        assert len(await numbers(alpine)) == 3
        visitor.expect_complaint("401")


class TestNewTab:
    async def test_asks_for_its_mandate(self, visitor: Visitor) -> None:
        await visitor.sign_in("max")
        await visitor.work_in("alpine")
        page = await visitor.tab()
        await expect(page.get_by_role("heading", name="Choose the mandate of this tab")).to_be_visible()
        await page.get_by_role("button", name="Baltic Trading").click()
        assert await numbers(page) == ["B-2001", "B-2002", "B-2003"]

    @pytest.mark.parametrize(("features", "starts"), [("", "Alpine Software GmbH"), ("noopener", "Choose the mandate")])
    async def test_opened_by_another_starts_where_that_was_unless_cut_off(
        self, visitor: Visitor, features: str, starts: str
    ) -> None:
        await visitor.sign_in("max")
        alpine = await visitor.work_in("alpine")
        async with visitor.context.expect_page() as opened:
            await alpine.evaluate(f"void window.open('/console/', '_blank', '{features}')")
        await expect((await opened.value).locator("h1")).to_contain_text(starts)


class TestFiles:
    async def test_are_asked_for_once_however_often_the_page_is_opened(self, visitor: Visitor) -> None:
        """Each request counts for the address, and many people may share one."""
        sent = (
            "performance.getEntriesByType('resource').filter((each) => each.name.includes('/console/'))"
            ".map((each) => [each.name, each.transferSize])"
        )
        first = await visitor.tab()
        await expect(first.get_by_role("heading", name="Sign in")).to_be_visible()
        loaded = dict(await first.evaluate(sent))
        assert len(loaded) > 20
        assert min(loaded.values()) > 0
        second = await visitor.tab()
        await expect(second.get_by_role("heading", name="Sign in")).to_be_visible()
        assert dict(await second.evaluate(sent)) == dict.fromkeys(loaded, 0)
        await first.reload()
        await expect(first.get_by_role("heading", name="Sign in")).to_be_visible()
        assert set(dict(await first.evaluate(sent)).values()) == {0}


class TestContext:
    async def test_hides_a_field_from_whoever_may_not_read_it(self, visitor: Visitor) -> None:
        await visitor.sign_in("vera")
        page = await visitor.work_in("alpine")
        await expect(page.locator("#invoices tbody tr")).to_have_count(4)
        assert set(await page.locator("#invoices tbody td:nth-child(4)").all_inner_texts()) == {"–"}

    async def test_draws_no_form_for_whoever_may_not_write(self, visitor: Visitor) -> None:
        await visitor.sign_in("vera")
        page = await visitor.work_in("alpine")
        await expect(page.locator("#invoices table")).to_be_visible()
        await expect(page.locator("#invoices form")).to_have_count(0)

    async def test_adds_and_removes_a_row(self, visitor: Visitor) -> None:
        await visitor.sign_in("bert")
        page = await visitor.work_in("baltic")
        for label, value in (("Number", "B-3000"), ("Customer", "Åland Ferries"), ("Amount", "12.50")):
            await page.locator("#invoices").get_by_label(label).fill(value)
        await page.locator("#invoices").get_by_role("button", name="Add").click()
        await expect(page.get_by_text("Åland Ferries")).to_be_visible()
        await page.get_by_role("button", name="Remove B-3000").click()
        await expect(page.get_by_text("Åland Ferries")).to_have_count(0)

    async def test_of_an_instance_shows_what_belongs_to_it(self, visitor: Visitor) -> None:
        await visitor.sign_in("max")
        page = await visitor.work_in("alpine")
        await page.get_by_label("Instance").select_option(label="Zürich office (petty-cash)")
        await expect(page.get_by_text("Flowers for reception")).to_be_visible()

    async def test_shows_a_refusal_with_its_code_and_request(self, visitor: Visitor) -> None:
        await visitor.sign_in("max")
        page = await visitor.work_in("alpine")
        for label, value in (("Number", "A-1001"), ("Customer", "Twice"), ("Amount", "1")):
            await page.locator("#invoices").get_by_label(label).fill(value)
        async with page.expect_response(lambda answer: answer.status == 409) as refused:
            await page.locator("#invoices").get_by_role("button", name="Add").click()
        problem = page.locator("#invoices .problem")
        await expect(problem).to_contain_text("There is an invoice with this number")
        await expect(problem).to_contain_text("invoice_number_taken")
        await expect(problem).to_contain_text((await refused.value).headers["x-request-id"])
        visitor.expect_complaint("409")


class TestLinks:
    async def test_of_a_registration_ends_signed_in(self, visitor: Visitor) -> None:
        page = await visitor.tab("/console/#/register")
        await page.get_by_label("Name").fill("Nora Novak")
        await page.get_by_label("Mail address").fill("nora@example.org")
        await page.get_by_label("New password").fill("two rivers meet here")
        await page.get_by_role("button", name="Register").click()
        await expect(page.get_by_text("Look at your mails")).to_be_visible()
        await page.goto(await asyncio.to_thread(visitor.demo.link_mailed_to, "nora@example.org", "verify-email"))
        await page.get_by_role("button", name="Confirm").click()
        await expect(page.get_by_text("You are in no mandate yet.")).to_be_visible()
        assert "verify-email" not in page.url

    async def test_of_a_registration_asks_another_browser_for_the_password(
        self, visitor: Visitor, demo: Demo, chromium: Browser
    ) -> None:
        page = await visitor.tab("/console/#/register")
        await page.get_by_label("Mail address").fill("olga@example.org")
        await page.get_by_label("New password").fill("two rivers meet here")
        await page.get_by_role("button", name="Register").click()
        link = await asyncio.to_thread(demo.link_mailed_to, "olga@example.org", "verify-email")
        async with visiting(demo, chromium) as other:
            elsewhere = await other.tab()
            await elsewhere.goto(link)
            await elsewhere.get_by_role("button", name="Confirm").click()
            await elsewhere.get_by_label("Password").fill("two rivers meet here")
            await elsewhere.get_by_role("button", name="Confirm").click()
            await expect(elsewhere.get_by_text("You are in no mandate yet.")).to_be_visible()
            other.expect_complaint("Failed to load resource")

    @pytest.mark.parametrize(
        ("locale", "confirm", "sign_in", "refused"),
        [
            ("en-GB", "Confirm", "Sign in", "in the browser where you asked for the change"),
            ("de-CH", "Bestätigen", "Anmelden", "in dem Sie die Änderung angefordert haben"),
        ],
    )
    async def test_of_a_changed_address_says_elsewhere_where_to_open_it(
        self, visitor: Visitor, demo: Demo, chromium: Browser, locale: str, confirm: str, sign_in: str, refused: str
    ) -> None:
        new = f"rita-{locale[:2]}@example.org"
        link = await asked_to_become(visitor, new)
        async with visiting(demo, chromium, locale=locale) as other:
            page = await other.tab()
            await page.goto(link)
            await page.get_by_role("button", name=confirm).click()
            await expect(page.get_by_role("status")).to_contain_text(refused)
            other.expect_complaint("403")
            await page.get_by_role("link", name=sign_in).click()
            await page.locator("[name=email]").fill(f"was-{new}")
            await page.locator("[name=password]").fill("two rivers meet here")
            await page.get_by_role("button", name=sign_in, exact=True).click()
            await page.wait_for_url("**/console/#/verify-email")
            await page.get_by_role("button", name="Confirm").click()  # the account's language is English
            await expect(page.get_by_role("status")).to_contain_text("The address is confirmed.")

    @pytest.mark.parametrize("name", ["verify-email", "reset-password", "take-back-email", "invitation", "register"])
    async def test_leave_no_secret_in_the_address_bar(self, visitor: Visitor, name: str) -> None:
        page = await visitor.tab()
        before = await page.evaluate("history.length")
        await page.goto(f"{visitor.demo.url}/console/#/{name}/the-secret")
        await expect(page.locator("form")).to_be_visible()
        await page.wait_for_url(f"**/console/#/{name}")
        assert await page.evaluate("history.length") == before + 1

    async def test_still_work_after_the_page_was_drawn_anew(self, visitor: Visitor) -> None:
        page = await visitor.tab("/console/#/take-back-email/the-secret")
        await page.get_by_role("button", name="Deutsch").click()
        async with page.expect_request("**/auth/email/take-back") as sent:
            await page.get_by_role("button", name="Zurückholen").click()
        assert (await sent.value).post_data_json == {"token": "the-secret"}
        await expect(page.get_by_role("alert")).to_contain_text("link_not_valid")
        visitor.expect_complaint("422")

    async def test_of_a_reset_lets_in_with_the_new_password(self, visitor: Visitor) -> None:
        page = await visitor.tab("/console/#/forgot")
        await page.get_by_label("Mail address").fill("sam@example.org")
        await page.get_by_role("button", name="Send me a link").click()
        await page.goto(await asyncio.to_thread(visitor.demo.link_mailed_to, "sam@example.org", "reset-password"))
        await page.get_by_label("New password").fill("three rivers meet here")
        await page.get_by_role("button", name="Choose the password").click()
        await page.get_by_role("link", name="Sign in").click()
        await enter(page, "sam@example.org", "three rivers meet here")
        await expect(page.get_by_role("button", name="Sign out")).to_be_visible()


class TestPage:
    async def test_says_what_is_wrong_with_a_sign_in(self, visitor: Visitor) -> None:
        page = await visitor.tab()
        await enter(page, "max@example.org", "not the password")
        await expect(page.get_by_role("alert")).to_contain_text("login_failed")
        visitor.expect_complaint("401")

    async def test_speaks_german(self, demo: Demo, chromium: Browser) -> None:
        async with visiting(demo, chromium, locale="de-CH") as visitor:
            page = await visitor.tab()
            await expect(page.get_by_role("heading", name="Anmelden")).to_be_visible()
            await expect(page.locator("html")).to_have_attribute("lang", "de")
            await page.get_by_role("button", name="English").click()
            await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()

    async def test_keeps_its_colours(self, visitor: Visitor) -> None:
        page = await visitor.tab()
        for colours in ("light", "dark"):
            await page.get_by_role("button", name="Colours").click()
            await expect(page.locator("html")).to_have_attribute("data-colours", colours)
        await page.reload()
        await expect(page.locator("html")).to_have_attribute("data-colours", "dark")
        await expect(page.locator("body")).to_have_css("background-color", "rgb(20, 24, 29)")

    async def test_fits_a_narrow_screen(self, demo: Demo, chromium: Browser) -> None:
        async with visiting(demo, chromium, width=360) as visitor:
            await visitor.sign_in("ada")
            page = await visitor.work_in("alpine")
            assert await page.evaluate("document.documentElement.scrollWidth") == 360

    async def test_is_found_at_the_front_door(self, visitor: Visitor) -> None:
        page = await visitor.tab("/")
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert page.url == f"{visitor.demo.url}/console/"

    async def test_can_be_used_by_keyboard_alone(self, visitor: Visitor) -> None:
        page = await visitor.tab()
        await page.get_by_label("Mail address").focus()
        await page.keyboard.type("bert@example.org")
        await page.keyboard.press("Tab")
        await page.keyboard.type(visitor.demo.password)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Choose the mandate")).to_be_visible()
        await page.get_by_role("button", name="Baltic").focus()
        await page.keyboard.press("Enter")
        assert len(await numbers(page)) == 3

    async def test_reports_no_violation_of_its_policy(self, visitor: Visitor) -> None:
        await visitor.context.add_init_script(
            "window.reports = [];"
            "addEventListener('securitypolicyviolation', (each) => window.reports.push(each.violatedDirective))"
        )
        await visitor.sign_in("max")
        page = await visitor.work_in("alpine")
        await expect(page.locator("#invoices table")).to_be_visible()
        assert await page.evaluate("window.reports") == []
        await page.evaluate("try { trustedTypes.createPolicy('p', {}) } catch {}")
        assert await page.evaluate("window.reports.length") > 0
        visitor.expect_complaint("trusted-types")

    async def test_of_the_documentation_works_under_its_policy(self, visitor: Visitor) -> None:
        page = await visitor.tab("/docs")
        await expect(page.locator("#documentation .opblock").first).to_be_visible()
