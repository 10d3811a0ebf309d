"""Passkeys in a real Chromium, whose virtual authenticator stands for the device and the finger on it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, CDPSession, Page
import pytest

from tests.browser.conftest import Demo, Visitor, visiting
from tests.support.commands import environment_for, free_port, started
from tests.support.postgres import FreshDatabases

pytestmark = pytest.mark.browser


class NamedDemo(Demo):
    """Where a browser makes passkeys: at a name, not at an address."""

    @property
    def url(self) -> str:
        return f"http://localhost:{self.program.port}"


@pytest.fixture(scope="module")
def named_demo(fresh_databases: FreshDatabases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    directory, port = tmp_path_factory.mktemp("demo"), free_port()
    settings = {
        "http__port": str(port),
        "http__public_url": f"http://localhost:{port}",
        "logging__level": "WARNING",
        "rate_limits__login_per_address": "1000/minute",
    }
    with fresh_databases.copy() as urls:
        environment = environment_for(urls, directory, **settings)
        host = ("-m", "tests.support.demo_host")
        with started(environment=environment, directory=directory, port=port, program=host) as program:
            password = (directory / "demo-password").read_text(encoding="ascii").strip()
            yield NamedDemo(program, password, Path(directory) / "mail")
            program.stop()


@pytest.fixture
async def guest(named_demo: Demo, chromium: Browser) -> AsyncIterator[Visitor]:
    async with visiting(named_demo, chromium) as somebody:
        yield somebody


async def device(visitor: Visitor, page: Page, *, verifies: bool = True) -> tuple[CDPSession, str]:
    """An authenticator built into this browser, unlocked by its owner if it `verifies`."""
    devtools = await visitor.context.new_cdp_session(page)
    await devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": verifies,
        "automaticPresenceSimulation": True,
    }
    added = await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return devtools, str(added["authenticatorId"])


async def run(page: Page, call: str) -> Any:  # noqa: ANN401  # what the page answers
    """Call a function of the console's `passkeys.js`; a refusal comes back as its name and code."""
    return await page.evaluate(
        """(call) => import("/console/passkeys.js").then(async (passkeys) => {
            const [name, ...values] = call.split(" ");
            try { return await passkeys[name](...values); }
            catch (error) { return { refused: error.name, code: error.code }; }
        })""",
        call,
    )


class TestAPasskey:
    async def test_is_made_and_signs_in_by_itself(self, guest: Visitor) -> None:
        page = await guest.sign_in("max")
        devtools, authenticator = await device(guest, page)
        assert await run(page, "passkeysWork") is True
        made = await run(page, "registerPasskey Laptop")
        assert (made["name"], made["transports"]) == ("Laptop", ["internal"])
        kept = await devtools.send("WebAuthn.getCredentials", {"authenticatorId": authenticator})
        (credential,) = kept["credentials"]
        assert (credential["rpId"], credential["isResidentCredential"]) == ("localhost", True)

        assert (await run(page, "registerPasskey Again"))["refused"] == "InvalidStateError"
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_role("heading", name="Sign in").wait_for()
        signed_in = await run(page, "signInWithPasskey")
        assert signed_in["user"]["email"] == "max@example.org"
        assert signed_in["session"]["amr"][-2:] == ["user", "mfa"]
        answer = await guest.context.request.get(f"{guest.demo.url}/api/v1/users/me")
        assert (await answer.json())["email"] == "max@example.org"

        again = await run(page, "stepUpWithPasskey")
        assert again["session"]["id"] != signed_in["session"]["id"]
        await self._by_password_and_passkey(guest, page)

    async def _by_password_and_passkey(self, guest: Visitor, page: Page) -> None:
        """A password alone is not enough any more."""
        await guest.context.clear_cookies()
        held = await page.evaluate(
            """(proof) => fetch("/api/v1/auth/login", {method: "POST", body: JSON.stringify(proof),
                headers: {"Content-Type": "application/json", "X-Requested-With": "test"}})
                .then(async (answer) => [answer.status, (await answer.json()).factors])""",
            {"email": "max@example.org", "password": guest.demo.password},
        )
        assert held == [202, ["passkey"]]
        completed = await run(page, "completeWithPasskey")
        assert completed["session"]["amr"][0] == "pwd"
        assert completed["session"]["amr"][-1] == "mfa"

    async def test_of_a_device_that_verifies_nobody_is_not_made(self, guest: Visitor) -> None:
        page = await guest.sign_in("vera")
        await device(guest, page, verifies=False)
        assert (await run(page, "registerPasskey Laptop"))["refused"] == "NotAllowedError"
