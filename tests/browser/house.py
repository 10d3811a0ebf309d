"""The demo with every way in: at a name, so that browsers make passkeys, and with Google and Microsoft imitated, which
people can connect, too.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.async_api import CDPSession, Page, expect
import psycopg
import pyotp
import pytest

from modules.shared import clock
from tests.browser.conftest import Demo, Visitor
from tests.support.commands import environment_for, free_port, started
from tests.support.oidc_provider import TENANT, provider_peer
from tests.support.postgres import FreshDatabases

GOOGLE_ACCOUNTS: dict[str, dict[str, Any]] = {
    "gina": {"email": "gina@gmail.com", "email_verified": True, "name": "Gina"},
    "max": {"email": "max.brunner@gmail.com", "email_verified": True, "name": "Max"},
}
MICROSOFT_ACCOUNTS: dict[str, dict[str, Any]] = {
    "mia": {"tid": TENANT, "oid": "a7c1", "email": "mia@contoso.test", "xms_edov": "1", "name": "Mia"},
}
MAIL_CODE = r"\b([0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4})\s"


@dataclass(frozen=True, slots=True)
class House(Demo):
    """It, and its database."""

    database: str

    @property
    def url(self) -> str:
        return f"http://localhost:{self.program.port}"

    def change(self, statement: str) -> None:
        """Change what a person cannot, such as how long ago they signed in."""
        with psycopg.connect(self.database) as connection:
            connection.execute(statement.encode())

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """What stands in its database."""
        with psycopg.connect(self.database) as connection:
            return connection.execute(statement.encode()).fetchall()

    def forget_recent_sign_ins(self) -> None:
        """Everybody has signed in an hour ago."""
        self.change("UPDATE sessions SET authenticated_at = now() - interval '1 hour'")

    @contextmanager
    def wanting(self, policy: str) -> Iterator[None]:
        """Baltic Trading asks for such sign-ins meanwhile."""
        self.change(f"UPDATE mandates SET login_policy = '{policy}' WHERE slug = 'baltic'")
        try:
            yield
        finally:
            self.change("UPDATE mandates SET login_policy = NULL WHERE slug = 'baltic'")

    async def code_mailed_to(self, address: str) -> str:
        """The code that signs in without the link."""
        return await asyncio.to_thread(self.mail_to, address, MAIL_CODE)


@contextmanager
def open_house(fresh_databases: FreshDatabases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """It, serving."""
    directory, port = tmp_path_factory.mktemp("house"), free_port()
    url = f"http://localhost:{port}"
    with (
        provider_peer("google", GOOGLE_ACCOUNTS, url) as google,
        provider_peer("microsoft", MICROSOFT_ACCOUNTS, url) as microsoft,
        fresh_databases.copy() as urls,
    ):
        settings = {
            "http__port": str(port),
            "http__public_url": url,
            "logging__level": "WARNING",
            "rate_limits__default": "100000/minute",
            "rate_limits__login_per_address": "1000/minute",
            "rate_limits__login_per_account": "1000/minute",
            "rate_limits__mail_per_recipient_hour": "1000/hour",
            **google.settings(),
            **microsoft.settings(),
            **google.connection_settings(),
            **microsoft.connection_settings(),
        }
        environment = environment_for(urls, directory, **settings)
        host = ("-m", "tests.support.demo_host")
        with started(environment=environment, directory=directory, port=port, program=host) as program:
            password = (directory / "demo-password").read_text(encoding="ascii").strip()
            yield House(program, password, directory / "mail", urls.superuser)
            program.stop()


async def authenticator(visitor: Visitor, page: Page) -> CDPSession:
    """A device with a finger on it, built into this browser."""
    devtools = await visitor.context.new_cdp_session(page)
    await devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return devtools


async def connect(page: Page, provider: str, choice: str, *, button: str = "Connect {}", absent: bool = False) -> None:
    """From the data connections to the provider, and back by this link of its page."""
    await page.get_by_role("button", name=button.format(provider)).click()
    dialog = page.get_by_role("dialog")
    if absent:
        await dialog.get_by_label("When applications may use it").select_option(label="In my absence, too")
    await dialog.get_by_role("button", name=f"Go on to {provider}").click()
    await page.get_by_role("link", name=choice).click()


async def open_account(page: Page) -> None:
    """Go to “My account”, and wait until its last part is there."""
    await page.get_by_role("link", name="My account").click()
    await expect(page.locator("#api-keys .deeds button")).to_be_visible()


async def sign_out(page: Page) -> None:
    """By the button of the header."""
    await page.locator("[data-action=signOut]").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


class App:
    """An authenticator app. Each code is of a later half minute, so that none is used twice."""

    def __init__(self, secret: str) -> None:
        self._totp = pyotp.TOTP(secret)
        self._steps = -2

    def code(self) -> str:
        self._steps += 1
        assert self._steps <= 1, "the server looks no further than one half minute"
        return self._totp.at(clock.now(), counter_offset=self._steps)


async def set_up_app(page: Page) -> App:
    """By the account page."""
    await page.get_by_role("button", name="Set up an app").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_role("img")).to_be_visible()
    assert await dialog.get_by_role("img").evaluate("async (image) => (await image.decode(), image.naturalWidth)")
    app = App((await dialog.locator(".secret code").inner_text()).replace(" ", ""))
    await dialog.get_by_label("the code that the app shows").fill(app.code())
    await dialog.get_by_role("button", name="Confirm").click()
    await expect(page.get_by_text("An app is set up")).to_be_visible()
    return app
