"""“My account” in a real Chromium: what people prove themselves with, where they are signed in, and their programs."""

from collections.abc import AsyncIterator, Iterator

import httpx
from playwright.async_api import Browser, Locator, Page, Request, expect
import pytest

from tests.browser.conftest import Visitor, enter, visiting
from tests.browser.house import House, authenticator, open_account, open_house, set_up_app, sign_out
from tests.support.postgres import FreshDatabases

pytestmark = pytest.mark.browser

NEW_PASSWORD = "four rivers meet somewhere"  # of a test


@pytest.fixture(scope="module")
def house(fresh_databases: FreshDatabases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(fresh_databases, tmp_path_factory) as opened:
        yield opened


@pytest.fixture
async def guest(house: House, chromium: Browser) -> AsyncIterator[Visitor]:
    async with visiting(house, chromium) as somebody:
        yield somebody


async def account_of(visitor: Visitor, name: str) -> Page:
    """The page of somebody who has just signed in."""
    page = await visitor.sign_in(name)
    await open_account(page)
    return page


def dialog(page: Page) -> Locator:
    """The one on top."""
    return page.get_by_role("dialog").last


async def make_key(page: Page, name: str, may: str = "Read whatever I may read") -> None:
    """Fill the dialog of a new API key in, and send it."""
    await page.get_by_role("button", name="Make an API key").click()
    await dialog(page).get_by_label("What it is for").fill(name)
    await dialog(page).get_by_label("What it may do").select_option(label=may)
    await dialog(page).get_by_role("button", name="Make an API key").click()


class TestAnApiKey:
    async def test_is_shown_once_works_for_a_program_and_ends(self, house: House, guest: Visitor) -> None:
        page = await account_of(guest, "max")
        await make_key(page, "Nightly report")
        key = await page.locator("#new-api-key").inner_text()
        await page.get_by_role("button", name="Done").click()
        assert key not in await page.content()
        async with httpx.AsyncClient(base_url=house.url, headers={"Authorization": f"Bearer {key}"}) as program:
            assert (await program.get("/api/v1/users/me")).json()["email"] == "max@example.org"
            await page.get_by_role("button", name="Remove Nightly report").click()
            await dialog(page).get_by_role("button", name="Remove").click()
            await expect(page.get_by_text("There is no API key.")).to_be_visible()
            assert (await program.get("/api/v1/users/me")).status_code == 401

    async def test_with_a_scope_that_is_none_is_refused_where_it_was_typed(self, guest: Visitor) -> None:
        page = await account_of(guest, "max")
        await page.get_by_role("button", name="Make an API key").click()
        await dialog(page).get_by_label("What it is for").fill("Typo")
        await dialog(page).get_by_label("What it may do").select_option(label="Only these scopes")
        await dialog(page).get_by_label("Scopes").fill("invoices:read memebers:read")
        await dialog(page).get_by_role("button", name="Make an API key").click()
        await expect(dialog(page).get_by_role("alert")).to_contain_text("unknown_scope")
        await expect(dialog(page).get_by_label("Scopes")).to_be_focused()
        await expect(dialog(page).get_by_label("Scopes")).to_have_attribute("aria-invalid", "true")
        guest.expect_complaint("422")
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("button", name="Make an API key")).to_be_focused()

    async def test_is_made_once_however_often_the_button_is_pressed(self, guest: Visitor) -> None:
        page = await account_of(guest, "max")
        made: list[Request] = []
        page.on("request", lambda request: made.append(request) if request.method == "POST" else None)
        await page.get_by_role("button", name="Make an API key").click()
        await dialog(page).get_by_label("What it is for").fill("Twice")
        await dialog(page).get_by_role("button", name="Make an API key").dblclick()
        await expect(page.locator("#new-api-key")).to_be_visible()
        assert len(made) == 1


class TestAChangeThatWantsARecentSignIn:
    async def test_is_made_after_the_password_was_shown(self, house: House, guest: Visitor) -> None:
        page = await account_of(guest, "bert")
        house.forget_recent_sign_ins()
        await make_key(page, "After a step-up")
        await expect(page.get_by_role("heading", name="Please confirm that it is you")).to_be_visible()
        guest.expect_complaint("403")
        await dialog(page).get_by_label("Password").fill("not the password")
        await dialog(page).get_by_role("button", name="Confirm").click()
        await expect(dialog(page).get_by_role("alert")).to_contain_text("login_failed")
        guest.expect_complaint("401")
        await dialog(page).get_by_label("Password").fill(house.password)
        await dialog(page).get_by_role("button", name="Confirm").click()
        await expect(page.locator("#new-api-key")).to_be_visible()

    async def test_is_not_made_when_the_person_changes_their_mind(self, house: House, guest: Visitor) -> None:
        page = await account_of(guest, "bert")
        house.forget_recent_sign_ins()
        await make_key(page, "Never made")
        await expect(page.get_by_role("heading", name="Please confirm that it is you")).to_be_visible()
        guest.expect_complaint("403")
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(1)  # what was typed is still there
        await expect(dialog(page).get_by_label("What it is for")).to_have_value("Never made")
        await expect(dialog(page).get_by_role("alert")).to_be_empty()
        await page.keyboard.press("Escape")
        await expect(page.get_by_text("Never made")).to_have_count(0)

    async def test_is_made_after_a_code_was_mailed_to_whoever_has_nothing_else(
        self, house: House, guest: Visitor
    ) -> None:
        page = await guest.tab()
        await page.get_by_label("Mail address").fill("nadia@example.org")
        await page.get_by_role("button", name="Mail me a link").click()
        await page.get_by_label("Code of the mail").fill(await house.code_mailed_to("nadia@example.org"))
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_text("You are in no mandate yet.")).to_be_visible()
        await open_account(page)
        house.forget_recent_sign_ins()
        for mail in house.mails.glob("*.eml"):
            mail.unlink()
        await make_key(page, "After a mail")
        await page.get_by_role("button", name="Have a code mailed").click()
        guest.expect_complaint("403")
        await dialog(page).get_by_label("Code of the mail").fill(await house.code_mailed_to("nadia@example.org"))
        await dialog(page).get_by_role("button", name="Sign in").click()
        await expect(page.locator("#new-api-key")).to_be_visible()


class TestSessions:
    async def test_of_another_browser_are_ended_there(self, house: House, guest: Visitor, chromium: Browser) -> None:
        async with visiting(house, chromium) as other:
            elsewhere = await other.sign_in("vera")
            page = await account_of(guest, "vera")
            await expect(page.locator("#sessions .rows > li")).to_have_count(2)
            await page.get_by_role("button", name="End all others").click()
            await dialog(page).get_by_role("button", name="End all others").click()
            await expect(page.locator("#sessions .rows > li")).to_have_count(1)
            await expect(page.get_by_text("this browser")).to_be_visible()
            await elsewhere.reload()
            await expect(elsewhere.get_by_role("heading", name="Sign in")).to_be_visible()
            other.expect_complaint("401")

    async def test_everywhere_end_here_too(self, guest: Visitor) -> None:
        page = await account_of(guest, "vera")
        await page.get_by_role("button", name="Sign out everywhere").click()
        await dialog(page).get_by_role("button", name="Sign out everywhere").click()
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert (await guest.context.request.get(f"{guest.demo.url}/api/v1/users/me")).status == 401


class TestThePassword:
    async def test_is_changed_and_signs_in(self, guest: Visitor) -> None:
        page = await account_of(guest, "vera")
        await page.get_by_role("button", name="Change the password").click()
        await dialog(page).get_by_label("New password").fill(NEW_PASSWORD)
        await dialog(page).get_by_role("button", name="Save").click()
        await expect(page.get_by_text("The password is saved.")).to_be_visible()
        await sign_out(page)
        await enter(page, "vera@example.org", NEW_PASSWORD)
        await expect(page.get_by_role("heading", name="Choose the mandate")).to_be_visible()


class TestFactors:
    async def test_come_get_new_names_and_go(self, guest: Visitor) -> None:
        page = await account_of(guest, "sam")
        await authenticator(guest, page)
        await page.get_by_role("button", name="Add a passkey").click()
        await dialog(page).get_by_role("button", name="Add a passkey").click()
        await page.get_by_role("button", name="Rename Passkey").click()
        await dialog(page).get_by_label("What to call it").fill("Laptop")
        await dialog(page).get_by_role("button", name="Save").click()
        await page.get_by_role("button", name="Remove Laptop").click()
        await dialog(page).get_by_role("button", name="Remove").click()
        await expect(page.get_by_text("There is no passkey yet.")).to_be_visible()
        await expect(page.locator("#passkeys h2")).to_be_focused()
        await set_up_app(page)
        await page.get_by_role("button", name="Remove the app").click()
        await dialog(page).get_by_role("button", name="Remove the app").click()
        await expect(page.get_by_text("No app is set up.")).to_be_visible()

    async def test_keep_no_secret_in_the_page(self, guest: Visitor) -> None:
        page = await account_of(guest, "sam")
        await page.get_by_role("button", name="Set up an app").click()
        secret = (await dialog(page).locator(".secret code").inner_text()).replace(" ", "")
        await dialog(page).get_by_role("button", name="Cancel").click()
        await expect(page.get_by_role("dialog")).to_have_count(0)
        kept = await page.evaluate(
            "document.documentElement.outerHTML + JSON.stringify([localStorage, sessionStorage])"
        )
        assert secret not in kept.replace(" ", "")


class TestAProvider:
    async def test_is_connected_signs_in_and_is_disconnected(self, guest: Visitor) -> None:
        page = await account_of(guest, "max")
        await page.get_by_role("button", name="Connect Google").click()
        await page.get_by_role("link", name="max").click()
        await expect(page.get_by_text("max.brunner@gmail.com")).to_be_visible()
        assert page.url.endswith("/console/#/account")
        await sign_out(page)
        await page.get_by_role("link", name="Sign in with Google").click()
        chosen = page.get_by_role("link", name="max").or_(page.get_by_role("button", name="Alpine Software"))
        await chosen.click()
        await open_account(page)
        await expect(page.get_by_text("Signed in as Max Brunner (max@example.org)")).to_be_visible()
        await page.get_by_role("button", name="Disconnect Google").click()
        await dialog(page).get_by_role("button", name="Disconnect").click()
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()  # the session came from there
        guest.expect_complaint("401")


class TestThePage:
    async def test_speaks_german(self, guest: Visitor) -> None:
        page = await guest.sign_in("ada")  # her own language
        await page.get_by_role("link", name="Mein Konto").click()
        await page.get_by_role("button", name="API-Schlüssel erstellen").click()
        await expect(page.get_by_role("dialog")).to_contain_text("Alles lesen, was ich lesen darf")
        await page.get_by_role("button", name="Abbrechen").click()
        await expect(page.get_by_role("heading", name="Sitzungen und Geräte")).to_be_visible()

    async def test_fits_a_narrow_screen(self, house: House, chromium: Browser) -> None:
        async with visiting(house, chromium, width=360) as visitor:
            page = await account_of(visitor, "bert")
            assert await page.evaluate("document.documentElement.scrollWidth") == 360
            await page.get_by_role("button", name="Make an API key").click()
            assert await page.get_by_role("dialog").evaluate("(each) => each.scrollWidth <= each.clientWidth")

    async def test_leads_back_to_the_mandate_of_the_tab(self, guest: Visitor) -> None:
        await guest.sign_in("bert")
        page = await guest.work_in("baltic")
        await open_account(page)
        await expect(page.locator("header .where")).to_have_text("Baltic Trading")
        await page.get_by_role("link", name="Back to Baltic Trading").click()
        await expect(page.locator("#permissions")).to_be_visible()
