"""Every way in, through the page, in a real Chromium. Single-user mode and mail scanners have tests of their own."""

from collections.abc import AsyncIterator, Iterator
import re

from playwright.async_api import Browser, Page, Request, expect
import pytest

from tests.browser.conftest import Demo, Visitor, enter, visiting
from tests.browser.house import App, House, authenticator, open_account, open_house, set_up_app, sign_out
from tests.support.postgres import FreshDatabases

pytestmark = pytest.mark.browser

CHOOSE = "Choose the mandate of this tab"


@pytest.fixture(scope="module")
def house(fresh_databases: FreshDatabases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(fresh_databases, tmp_path_factory) as opened:
        yield opened


@pytest.fixture
async def guest(house: House, chromium: Browser) -> AsyncIterator[Visitor]:
    async with visiting(house, chromium) as somebody:
        yield somebody


async def ask_mail(page: Page, email: str) -> None:
    """By the sign-in page."""
    await page.get_by_label("Mail address").fill(email)
    await page.get_by_role("button", name="Mail me a link").click()
    await expect(page.get_by_role("heading", name="Look at your mails")).to_be_visible()


async def protected(house: House, chromium: Browser, name: str) -> App:
    """Somebody sets up an authenticator app, in a browser of their own."""
    async with visiting(house, chromium) as visitor:
        page = await visitor.sign_in(name)
        await open_account(page)
        return await set_up_app(page)


class TestTheSignInPage:
    async def test_offers_what_the_installation_offers(self, guest: Visitor) -> None:
        page = await guest.tab()
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        ways = page.get_by_role("list", name="Other ways to sign in").get_by_role("listitem")
        await expect(ways).to_have_text(
            ["Use a passkey", "Mail me a link", "Sign in with Google", "Sign in with Microsoft"]
        )

    async def test_draws_nothing_that_is_not_offered(self, demo: Demo, chromium: Browser) -> None:
        async with visiting(demo, chromium) as visitor:
            page = await visitor.tab()
            ways = page.get_by_role("list", name="Other ways to sign in").get_by_role("listitem")
            await expect(ways).to_have_text(["Mail me a link"])  # no passkeys at an address, and no provider

    async def test_speaks_german(self, house: House, chromium: Browser) -> None:
        async with visiting(house, chromium, locale="de-CH") as visitor:
            page = await visitor.tab()
            for name in ("Passkey verwenden", "Link per Mail"):
                await expect(page.get_by_role("button", name=name)).to_be_visible()
            await expect(page.get_by_role("link", name="Mit Google anmelden")).to_be_visible()
            await page.get_by_role("button", name="English").press("Enter")
            await expect(page.get_by_role("button", name="Use a passkey")).to_be_visible()
            await expect(page.get_by_role("button", name="Deutsch")).to_be_focused()


class TestALinkByMail:
    async def test_is_asked_for_once_however_often_the_button_is_pressed(self, guest: Visitor) -> None:
        page = await guest.tab()
        asked: list[Request] = []
        page.on("request", lambda request: asked.append(request) if request.url.endswith("/magic-link") else None)
        await page.get_by_label("Mail address").fill("twice@example.org")
        await page.get_by_role("button", name="Mail me a link").dblclick()
        await expect(page.get_by_role("heading", name="Look at your mails")).to_be_visible()
        assert len(asked) == 1

    async def test_lets_in_by_its_code_to_the_page_that_was_wanted(self, house: House, guest: Visitor) -> None:
        page = await guest.tab("/console/#/m/alpine")
        await ask_mail(page, "vera@example.org")
        await expect(page.get_by_label("Code of the mail")).to_be_focused()
        await page.get_by_label("Code of the mail").fill("2222-2222")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_contain_text("code_not_valid")
        guest.expect_complaint("401")
        await page.get_by_label("Code of the mail").fill(await house.code_mailed_to("vera@example.org"))
        await page.keyboard.press("Enter")
        await expect(page.locator("#permissions")).to_be_visible()
        assert page.url.endswith("/console/#/m/alpine")

    async def test_is_waited_for_on_a_page_of_its_own_in_the_history(self, guest: Visitor) -> None:
        page = await guest.tab()
        await ask_mail(page, "back@example.org")
        await page.go_back()
        await expect(page.get_by_label("Password")).to_be_visible()
        await page.go_forward()
        await expect(page.get_by_text("If back@example.org can sign in here")).to_be_visible()
        await page.reload()
        await expect(page.get_by_text("If back@example.org can sign in here")).to_be_visible()


class TestAPasskey:
    async def test_is_added_and_signs_in_by_keyboard_alone(self, guest: Visitor) -> None:
        page = await guest.sign_in("max")
        await authenticator(guest, page)
        await open_account(page)
        await page.get_by_role("button", name="Add a passkey").press("Enter")
        await expect(page.get_by_label("What to call it")).to_be_focused()
        await page.get_by_label("What to call it").fill("Max’s laptop")
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("Max’s laptop")).to_be_visible()
        await sign_out(page)
        await page.get_by_role("button", name="Use a passkey").press("Enter")
        await expect(page.get_by_role("heading", name=CHOOSE)).to_be_visible()

    async def test_that_nobody_shows_leaves_the_other_ways(self, guest: Visitor) -> None:
        page = await guest.tab()
        devtools = await authenticator(guest, page)
        await page.get_by_role("button", name="Use a passkey").click()  # the device has none
        await expect(page.get_by_role("alert").filter(has_text="The passkey was not shown")).to_be_visible()
        await expect(page.get_by_role("button", name="Use a passkey")).to_be_enabled()
        await devtools.detach()


class TestASecondFactor:
    async def test_is_asked_for_after_the_password_and_leads_on(
        self, house: House, guest: Visitor, chromium: Browser
    ) -> None:
        app = await protected(house, chromium, "vera")
        page = await guest.tab("/console/#/m/alpine")
        await enter(page, "vera@example.org", house.password)
        await expect(page.get_by_label("Code of your authenticator app")).to_be_focused()
        await page.get_by_label("Code of your authenticator app").fill("000000")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("alert")).to_contain_text("second_factor_failed")
        guest.expect_complaint("401")
        await page.get_by_label("Code of your authenticator app").fill(app.code())
        await page.keyboard.press("Enter")
        await expect(page.locator("header .where")).to_have_text("Alpine Software GmbH")

    async def test_may_be_a_backup_code_once(self, house: House, guest: Visitor) -> None:
        page = await guest.sign_in("sam")
        await open_account(page)
        await set_up_app(page)
        await page.get_by_role("button", name="Make backup codes").click()
        shown = page.get_by_role("dialog").locator("li code")
        await expect(shown).to_have_count(10)
        codes = await shown.all_inner_texts()
        assert len(set(codes)) == 10
        await page.get_by_role("button", name="Done").click()
        await expect(page.get_by_text("10 codes are left.")).to_be_visible()
        for works in (True, False):
            await sign_out(page)
            await enter(page, "sam@example.org", house.password)
            await page.get_by_role("button", name="Use a backup code").click()
            await page.get_by_label("One of your backup codes").fill(codes[0])
            await page.get_by_role("button", name="Sign in").click()
            if works:
                await expect(page.get_by_role("heading", name=CHOOSE)).to_be_visible()
        await expect(page.get_by_role("alert")).to_contain_text("second_factor_failed")
        guest.expect_complaint("401")

    async def test_is_asked_for_after_a_provider_too(self, house: House, guest: Visitor, chromium: Browser) -> None:
        async with visiting(house, chromium) as visitor:
            page = await visitor.tab()
            await by_provider(page, "Google", "gina")
            await open_account(page)
            app = await set_up_app(page)
        page = await guest.tab("/console/#/account")
        await by_provider(page, "Google", "gina", wait=False)
        await expect(page.get_by_role("heading", name="One more proof")).to_be_visible()
        await page.get_by_label("Code of your authenticator app").fill(app.code())
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_text("gina@gmail.com").first).to_be_visible()
        assert page.url.endswith("/console/#/account")


class TestAProvider:
    async def test_leads_back_to_the_page_that_was_wanted(self, guest: Visitor) -> None:
        page = await guest.tab("/console/#/account")
        await by_provider(page, "Microsoft", "mia")
        await expect(page.get_by_role("heading", name="My account")).to_be_visible()
        assert page.url.endswith("/console/#/account")

    @pytest.mark.parametrize(
        ("locale", "sentence", "back", "heading"),
        [
            ("en-GB", "This sign-in belongs to another account.", "Back to signing in", "Sign in"),
            ("de-CH", "Diese Anmeldung gehört schon zu einem anderen Konto.", "Zurück zur Anmeldung", "Anmelden"),
        ],
    )
    async def test_that_does_not_sign_in_says_why(
        self, house: House, chromium: Browser, locale: str, sentence: str, back: str, heading: str
    ) -> None:
        async with visiting(house, chromium, locale=locale) as visitor:
            page = await visitor.tab("/console/#/sign-in-error/identity_taken")
            await expect(page.get_by_role("alert")).to_contain_text(sentence)
            await page.get_by_role("link", name=back).click()
            await expect(page.get_by_role("heading", name=heading)).to_be_visible()

    @pytest.mark.parametrize("code", ["never_heard_of", "__proto__", "<b>x"])
    async def test_error_without_words_has_a_sentence_all_the_same(self, guest: Visitor, code: str) -> None:
        page = await guest.tab(f"/console/#/sign-in-error/{code}")
        await expect(page.get_by_role("alert")).to_contain_text("Something went wrong on the way.")
        await expect(page.locator("main b")).to_have_count(0)


class TestAMandateThatWantsAnotherSignIn:
    async def test_offers_the_one_it_wants(self, house: House, guest: Visitor) -> None:
        page = await guest.sign_in("bert")
        with house.wanting('{"authorities": ["microsoft"]}'):
            await page.reload()
            await page.get_by_role("button", name="Baltic Trading").click()
            await expect(page.get_by_role("heading", name="asks for another sign-in")).to_be_visible()
            guest.expect_complaint("403")
            await page.get_by_role("button", name="Sign in another way").click()
            await expect(page.get_by_role("link", name="Sign in with Microsoft")).to_be_visible()
            await expect(page.get_by_label("Password")).to_have_count(0)

    async def test_lets_in_after_it_was_confirmed(self, house: House, guest: Visitor) -> None:
        page = await guest.sign_in("bert")
        house.forget_recent_sign_ins()
        with house.wanting('{"maximum_session_age": 10}'):
            await page.get_by_role("button", name="Baltic Trading").click()
            await expect(page.get_by_text("Your sign-in is too long ago.")).to_be_visible()
            guest.expect_complaint("403")
            await page.get_by_role("button", name="Confirm").click()
            await page.get_by_label("Password").fill(house.password)
            await page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
            await expect(page.locator("#permissions")).to_be_visible()

    async def test_sends_whoever_came_by_a_provider_back_to_it(self, house: House, guest: Visitor) -> None:
        """Their password here says nothing about the account they have there."""
        page = await guest.sign_in("bert")
        house.change(
            "UPDATE sessions SET authority = 'microsoft', proven_at = now() - interval '1 hour'"
            " WHERE user_id = (SELECT id FROM users WHERE email = 'bert@example.org')"
        )
        with house.wanting('{"maximum_session_age": 10}'):
            await page.get_by_role("button", name="Baltic Trading").click()
            await expect(page.get_by_text("Your sign-in is too long ago. Sign in again.")).to_be_visible()
            guest.expect_complaint("403")
            await page.get_by_role("button", name="Sign in").click()
            there = page.get_by_role("link", name="Sign in with Microsoft")
            await expect(there).to_have_attribute("href", re.compile("[?&]confirm=true$"))
            await expect(page.get_by_role("link", name="Sign in with")).to_have_count(1)

    async def test_says_how_to_get_a_second_factor(self, house: House, guest: Visitor) -> None:
        page = await guest.sign_in("bert")
        with house.wanting('{"second_factor": true}'):
            await page.get_by_role("button", name="Baltic Trading").click()
            await expect(page.get_by_text("You have none yet")).to_be_visible()
            guest.expect_complaint("403")
            await page.get_by_role("link", name="To my account").click()
            await expect(page.get_by_role("button", name="Set up an app")).to_be_visible()


class TestAMandateOfTheOwnDomain:
    async def test_is_joined_by_whoever_proved_an_address_there(self, house: House, guest: Visitor) -> None:
        house.change(
            "INSERT INTO mandate_domains (id, mandate_id, domain, challenge, offered_by, verified_at)"
            " SELECT gen_random_uuid(), m.id, 'baltic.test', 'proven', u.id, now() FROM mandates m, users u"
            " WHERE m.slug = 'baltic' AND u.email = 'bert@example.org'"
        )
        page = await guest.tab()
        await ask_mail(page, "jo@baltic.test")
        await page.get_by_label("Code of the mail").fill(await house.code_mailed_to("jo@baltic.test"))
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("heading", name="Mandates you may join")).to_be_visible()
        await page.get_by_role("button", name="Join Baltic Trading").click()
        await expect(page.locator("#permissions")).to_be_visible()
        await expect(page.locator("header .where")).to_have_text("Baltic Trading")


async def by_provider(page: Page, provider: str, account: str, *, wait: bool = True) -> None:
    """To the provider's page, and back as one of its accounts."""
    await page.get_by_role("link", name=f"Sign in with {provider}").click()
    await page.get_by_role("link", name=account).click()
    if wait:
        await expect(page.locator("[data-action=signOut]")).to_be_visible()
