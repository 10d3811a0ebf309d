"""Data connections in a real Chromium, at a certified provider that imitates Google and Microsoft."""

from collections.abc import AsyncIterator, Iterator

from playwright.async_api import Browser, Page, expect
import pytest

from tests.browser.conftest import Visitor, visiting
from tests.browser.house import House, connect, open_house
from tests.support.postgres import FreshDatabases

pytestmark = pytest.mark.browser

OWN, OTHERS = "#own-connections", "#other-connections"


@pytest.fixture(scope="module")
def house(fresh_databases: FreshDatabases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(fresh_databases, tmp_path_factory) as opened:
        yield opened


@pytest.fixture
async def visitor(house: House, chromium: Browser) -> AsyncIterator[Visitor]:
    house.change("DELETE FROM connections")
    async with visiting(house, chromium) as somebody:
        yield somebody


async def connections_of(visitor: Visitor, name: str, slug: str = "alpine") -> Page:
    """The page, as somebody finds it."""
    await visitor.sign_in(name)
    page = await visitor.work_in(slug)
    await page.get_by_role("link", name="Data connections").click()
    await expect(page.locator(OWN).get_by_role("button", name="Connect Google")).to_be_visible()
    return page


async def connect_google(page: Page) -> None:
    await connect(page, "Google", "gina")
    await expect(page.get_by_text("Google is connected.")).to_be_visible()


class TestConnecting:
    async def test_shows_the_account_afterwards_in_the_mandate_of_the_tab(self, house: House, visitor: Visitor) -> None:
        page = await connections_of(visitor, "max")
        await connect(page, "Google", "gina", absent=True)
        await expect(page.get_by_role("status")).to_have_text("Google is connected.")
        await expect(page.locator("header .where")).to_have_text("Alpine Software GmbH")
        (shown,) = await page.locator(f"{OWN} .rows > li").all_inner_texts()
        for fact in ("active", "gina@gmail.com", "used in the owner’s absence, too", "calendar.read"):
            assert fact in shown
        await expect(page.get_by_role("button", name="Connect Google")).to_have_count(0)
        await expect(page.get_by_role("button", name="Connect Microsoft")).to_be_visible()
        assert page.url == f"{house.url}/console/#/connections"
        await page.reload()
        await expect(page.locator(f"{OWN} .rows > li")).to_have_count(1)
        await expect(page.get_by_role("status")).to_have_count(0)

    async def test_draws_no_secret(self, visitor: Visitor) -> None:
        page = await connections_of(visitor, "max")
        told: list[str] = []
        async with page.expect_response(lambda answer: "/connections?" in answer.url) as listed:
            await page.reload()
        told.append(await (await listed.value).text())
        async with page.expect_response(lambda answer: "/connections?" in answer.url) as listed:
            await connect_google(page)
        told += [await (await listed.value).text(), await page.content()]
        assert "gina@gmail.com" in told[1]
        assert [word for word in ("token", "sealed", "secret", "subject") if any(word in each for each in told)] == []

    async def test_says_so_when_the_person_refuses_there(self, visitor: Visitor) -> None:
        page = await connections_of(visitor, "max")
        await connect(page, "Microsoft", "Cancel")
        await expect(page.get_by_role("alert")).to_contain_text("you changed your mind there")
        await expect(page.get_by_role("heading", name="Data connections")).to_be_visible()
        await expect(page.get_by_text("You have connected no account yet.")).to_be_visible()

    async def test_can_begin_again_after_going_back(self, visitor: Visitor) -> None:
        page = await connections_of(visitor, "max")
        await page.get_by_role("button", name="Connect Google").click()
        await page.get_by_role("button", name="Go on to Google").click()
        await expect(page.get_by_role("heading", name="Choose an account")).to_be_visible()
        await page.go_back()
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await connect_google(page)

    async def test_again_takes_the_place_of_one_the_provider_has_ended(self, house: House, visitor: Visitor) -> None:
        page = await connections_of(visitor, "max")
        await connect_google(page)
        house.change("UPDATE connections SET state = 'broken'")
        await page.reload()
        await expect(page.locator(OWN)).to_contain_text("needs reconnecting")
        await connect(page, "Google", "max", button="Connect again: {}")
        await expect(page.get_by_text("Google is connected.")).to_be_visible()
        await expect(page.locator(f"{OWN} .rows > li")).to_contain_text("max.brunner@gmail.com")

    async def test_is_refused_in_words(self, house: House, visitor: Visitor) -> None:
        """The right to connect is taken away while the page stands."""
        page = await connections_of(visitor, "max", "baltic")
        with house.wanting('{"maximum_session_age": 10}'):
            house.forget_recent_sign_ins()
            await page.get_by_role("button", name="Connect Google").click()
            await page.get_by_role("dialog").get_by_role("button", name="Go on to Google").click()
            await expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("login_method_not_allowed")
        visitor.expect_complaint("403")


class TestRemoving:
    async def test_asks_first_and_is_done_by_keys_alone(self, house: House, visitor: Visitor) -> None:
        page = await connections_of(visitor, "max")
        await connect_google(page)
        remove = page.get_by_role("button", name="Remove Google (gina@gmail.com)")
        await remove.focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog")).to_contain_text("cannot use this account any more")
        await page.keyboard.press("Escape")
        await expect(remove).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog").get_by_role("button", name="Remove")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("You have connected no account yet.")).to_be_visible()
        await expect(page.get_by_role("heading", name="My connections")).to_be_focused()
        await expect(page.get_by_role("button", name="Connect Google")).to_be_visible()
        assert house.rows("SELECT count(*) FROM connections") == [(0,)]

    async def test_of_others_is_for_whoever_reaches_them(
        self, house: House, chromium: Browser, visitor: Visitor
    ) -> None:
        page = await connections_of(visitor, "max")
        await connect_google(page)
        await expect(page.locator(OTHERS)).to_have_count(0)
        async with visiting(house, chromium) as administrator:  # Ada reads German
            await administrator.sign_in("ada")
            seen = await administrator.work_in("alpine")
            await seen.get_by_role("link", name="Datenverbindungen").click()
            others = seen.locator(OTHERS)
            await expect(others).to_contain_text("gina@gmail.com")
            await expect(others.get_by_role("button")).to_have_count(1)
            await others.get_by_role("button", name="Google (gina@gmail.com) entfernen").click()
            await seen.get_by_role("dialog").get_by_role("button", name="Entfernen").click()
            await expect(others).to_contain_text("Sonst hat niemand ein Konto verbunden.")
            await expect(seen.locator(OWN).get_by_role("button", name="Google verbinden")).to_be_visible()


class TestTheEntry:
    async def test_is_drawn_for_nobody_without_the_permission(self, visitor: Visitor) -> None:
        """Vera is a viewer: nor does the address show her anything but why not."""
        await visitor.sign_in("vera")
        page = await visitor.work_in("alpine")
        await expect(page.get_by_role("link", name="My account")).to_be_visible()
        await expect(page.get_by_role("link", name="Data connections")).to_have_count(0)
        await page.goto(f"{visitor.demo.url}/console/#/m/alpine/connections")
        await expect(page.locator(OWN)).to_contain_text("permission_denied")
        await expect(page.get_by_role("button", name="Connect")).to_have_count(0)
        visitor.expect_complaint("403")

    async def test_marks_where_one_is(self, visitor: Visitor) -> None:
        page = await connections_of(visitor, "max")
        await expect(page.get_by_role("link", name="Data connections")).to_have_attribute("aria-current", "page")
        await page.get_by_role("link", name="Back to Alpine").click()
        await expect(page.locator("#permissions")).to_be_visible()

    async def test_of_a_mail_asks_for_the_mandate_first(self, visitor: Visitor) -> None:
        await visitor.sign_in("max")
        page = await visitor.tab("/console/#/connections")
        await page.get_by_role("button", name="Baltic Trading").click()
        await expect(page.get_by_role("heading", name="Data connections")).to_be_visible()
        await expect(page.locator("header .where")).to_have_text("Baltic Trading")
