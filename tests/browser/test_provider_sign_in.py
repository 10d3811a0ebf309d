"""Google and Microsoft in a real Chromium: imitated by a certified provider, run twice, with the claims of each."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urljoin

from playwright.async_api import Browser, Page, expect
import psycopg
import pytest

from tests.browser.conftest import Demo, Visitor, visiting
from tests.support.commands import environment_for, free_port, started
from tests.support.oidc_provider import TENANT, provider_peer
from tests.support.postgres import FreshDatabases

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery staple"
GOOGLE_ACCOUNTS: dict[str, dict[str, Any]] = {
    "gina": {"email": "gina@gmail.com", "email_verified": True, "name": "Gina"},
    "hedwig": {"email": "hedwig@company.test", "email_verified": True, "hd": "company.test", "name": "Hedwig"},
    "elsewhere": {"email": "elsewhere@example.org", "email_verified": True, "name": "Else"},
}
MICROSOFT_ACCOUNTS: dict[str, dict[str, Any]] = {
    "mia": {"tid": TENANT, "oid": "a7c1", "email": "mia@contoso.test", "xms_edov": "1", "name": "Mia"},
    "nora": {"tid": TENANT, "oid": "b8d2", "email": "gina@gmail.com", "name": "Not Gina"},
}


class Site:
    """The gateway with both providers, and its database."""

    def __init__(self, demo: Demo, database: str) -> None:
        self.demo = demo
        self._database = database

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._database) as connection:
            return connection.execute(statement).fetchall()


@pytest.fixture(scope="module")
def site(fresh_databases: FreshDatabases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory, port = tmp_path_factory.mktemp("providers"), free_port()
    url = f"http://127.0.0.1:{port}"
    with (
        provider_peer("google", GOOGLE_ACCOUNTS, url) as google,
        provider_peer("microsoft", MICROSOFT_ACCOUNTS, url) as microsoft,
        fresh_databases.copy() as urls,
    ):
        settings = {
            "http__port": str(port),
            "logging__level": "WARNING",
            "rate_limits__login_per_address": "1000/minute",
            **google.settings(),
            **microsoft.settings(),
        }
        environment = environment_for(urls, directory, **settings)
        with started("serve", environment=environment, directory=directory, port=port) as program:
            yield Site(Demo(program, PASSWORD, directory / "mail"), urls.superuser)
            program.stop()


@pytest.fixture
async def visitor(site: Site, chromium: Browser) -> AsyncIterator[Visitor]:
    async with visiting(site.demo, chromium) as somebody:
        yield somebody


async def choose(page: Page, provider: str, account: str) -> None:
    """From the sign-in page to the provider's, and in as one of its accounts."""
    await page.get_by_role("link", name=f"Sign in with {provider}").click()
    await page.get_by_role("link", name=account).click()


async def signed_in_as(page: Page) -> str:
    """The address of whoever is signed in, as the API tells the page."""
    await expect(page.locator("[data-action=signOut]")).to_be_visible()
    told = await page.evaluate("fetch('/api/v1/users/me').then((answer) => answer.json())")
    address: str = told["email"]
    return address


async def way_back(page: Page, account: str) -> str:
    """Sign in at the provider, but stop before the browser opens the address it is sent back to."""
    address = str(await page.get_by_role("link", name=account).evaluate("link => link.href"))
    while "/callback?" not in address:
        answer = await page.context.request.get(address, max_redirects=0)
        address = urljoin(address, answer.headers["location"])
    return address


class TestSigningIn:
    @pytest.mark.parametrize(
        ("provider", "account", "address", "tenant"),
        [
            ("Google", "gina", "gina@gmail.com", None),
            ("Google", "hedwig", "hedwig@company.test", None),
            ("Microsoft", "mia", "mia@contoso.test", TENANT),
        ],
    )
    async def test_makes_an_account_and_finds_it_again(
        self, site: Site, visitor: Visitor, provider: str, account: str, address: str, tenant: str | None
    ) -> None:
        for _ in range(2):
            page = await visitor.tab()
            await choose(page, provider, account)
            assert await signed_in_as(page) == address
            await page.get_by_role("button", name="Sign out").click()
            await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
            await visitor.context.clear_cookies()
        found = site.rows(
            "SELECT i.authority, i.tenant, s.tenant, s.proven_email FROM identities i JOIN users u ON u.id = i.user_id"
            f" JOIN sessions s ON s.identity_id = i.id WHERE u.email = '{address}'"
        )
        assert found == [(provider.lower(), tenant, tenant, address)] * 2


class TestConfirming:
    async def test_has_the_provider_ask_whoever_is_signed_in_there(self, site: Site, visitor: Visitor) -> None:
        page = await visitor.tab()
        await choose(page, "Microsoft", "mia")
        assert await signed_in_as(page) == "mia@contoso.test"
        other = await visitor.tab("/api/v1/auth/microsoft/login?return_to=/console/%23/account")
        await expect(other.get_by_role("button", name="Set up an app")).to_be_visible()  # it asked nothing
        site.rows("UPDATE sessions SET authenticated_at = now() - interval '1 hour' RETURNING id")
        await other.get_by_role("button", name="Set up an app").click()
        await expect(other.get_by_role("heading", name="Please confirm that it is you")).to_be_visible()
        visitor.expect_complaint("403")
        await other.get_by_role("dialog").get_by_role("link", name="Sign in with Microsoft").click()
        await expect(other.get_by_role("heading", name="Choose an account")).to_be_visible()
        await other.get_by_role("link", name="mia").click()
        await other.get_by_role("button", name="Set up an app").click()
        await expect(other.get_by_role("dialog").locator("input.code")).to_be_visible()


class TestTwoTabs:
    async def test_sign_in_at_two_providers_at_once(self, site: Site, visitor: Visitor) -> None:
        """Each comes back to its own flow, whichever is first: the browser is then whoever came back last."""
        first, second = await visitor.tab(), await visitor.tab()
        await first.get_by_role("link", name="Sign in with Google").click()
        await second.get_by_role("link", name="Sign in with Microsoft").click()
        await expect(first.get_by_role("heading", name="Choose an account")).to_be_visible()
        await expect(second.get_by_role("heading", name="Choose an account")).to_be_visible()
        await second.get_by_role("link", name="mia").click()
        assert await signed_in_as(second) == "mia@contoso.test"
        await first.get_by_role("link", name="hedwig").click()
        assert await signed_in_as(first) == "hedwig@company.test"
        assert site.rows("SELECT count(*) FROM tokens WHERE purpose = 'flow' AND used_at IS NULL") == [(0,)]

    async def test_sign_in_at_the_same_provider_at_once(self, visitor: Visitor) -> None:
        first, second = await visitor.tab(), await visitor.tab()
        for page in (first, second):
            await page.get_by_role("link", name="Sign in with Microsoft").click()
            await expect(page.get_by_role("heading", name="Choose an account")).to_be_visible()
        await first.get_by_role("link", name="mia").click()
        assert await signed_in_as(first) == "mia@contoso.test"
        await second.get_by_role("link", name="mia").click()
        assert await signed_in_as(second) == "mia@contoso.test"


class TestAnAddressThatIsNotProven:
    async def test_opens_no_account_and_is_connected_by_its_person_alone(self, site: Site, visitor: Visitor) -> None:
        """Nora's directory claims Gina's address; Gina signs in as before and says whether that is hers."""
        page = await visitor.tab()
        await choose(page, "Google", "gina")
        assert await signed_in_as(page) == "gina@gmail.com"
        await page.get_by_role("button", name="Sign out").click()
        await choose(page, "Microsoft", "nora")
        await expect(page.get_by_text("No account has this sign-in yet.")).to_be_visible()
        assert site.rows("SELECT count(*) FROM identities WHERE subject = 'b8d2'") == [(0,)]
        await page.get_by_role("link", name="Sign in with Google").click()
        assert await signed_in_as(page) == "gina@gmail.com"
        await page.goto(f"{site.demo.url}/console/#/connect-identity")
        await expect(page.get_by_text("calls itself gina@gmail.com; nobody has proven that address")).to_be_visible()
        await page.get_by_role("button", name="Connect").click()
        await expect(page.get_by_text("Connected: you can sign in with Microsoft from now on.")).to_be_visible()
        assert site.rows("SELECT count(*) FROM identities WHERE subject = 'b8d2'") == [(1,)]


class TestAFlowOfAnotherBrowser:
    async def test_ends_on_a_page_that_says_so(self, site: Site, chromium: Browser, visitor: Visitor) -> None:
        page = await visitor.tab()
        await page.get_by_role("link", name="Sign in with Google").click()
        await expect(page.get_by_role("heading", name="Choose an account")).to_be_visible()
        address = await way_back(page, "gina")
        async with visiting(site.demo, chromium) as victim:
            lured = await victim.context.new_page()
            await lured.goto(address)
            await expect(lured.get_by_role("alert")).to_contain_text("began in another browser")
            assert "state=" not in lured.url
