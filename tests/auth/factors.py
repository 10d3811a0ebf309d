"""People with second factors."""

import httpx
import pyotp

from modules.shared import clock
from tests.auth.people import Browser, signed_in
from tests.support.authenticator import Authenticator
from tests.support.gateway import RunningGateway


class App:
    """An authenticator app; each code it shows is another time step's, so that none is used twice."""

    def __init__(self, secret: str) -> None:
        self._totp = pyotp.TOTP(secret)

    def code(self, steps: int = 0) -> str:
        """The code of the present half minute, or of one that many later."""
        return self._totp.at(clock.now(), counter_offset=steps)


async def set_up_app(browser: Browser) -> App:
    """The authenticator app of whoever is signed in there; the code of the half minute before is used up."""
    app = App((await browser.post("/auth/totp")).json()["secret"])
    answer = await browser.post("/auth/totp/confirm", json={"code": app.code(-1)})
    assert answer.status_code == 204, answer.text
    return app


async def made(browser: Browser, authenticator: Authenticator, name: str = "Laptop") -> httpx.Response:
    """The answer to setting a passkey up."""
    options = (await browser.post("/auth/passkeys/options")).json()["public_key"]
    return await browser.post("/auth/passkeys", json={"name": name, "credential": authenticator.make(options)})


async def set_up_passkey(browser: Browser, **claims: object) -> Authenticator:
    """A passkey of whoever is signed in there."""
    authenticator = Authenticator(**claims)  # type: ignore[arg-type]  # its attributes, by name
    answer = await made(browser, authenticator)
    assert answer.status_code == 201, answer.text
    return authenticator


async def signed_in_with_app(gateway: RunningGateway, email: str = "ada@example.org") -> tuple[Browser, App]:
    """Somebody new, with an authenticator app."""
    browser = await signed_in(gateway, email)
    return browser, await set_up_app(browser)


async def half_signed_in(gateway: RunningGateway, email: str = "ada@example.org") -> Browser:
    """Another browser of somebody with a second factor, which has shown the password."""
    browser = Browser(gateway)
    answer = await browser.log_in(email)
    assert answer.status_code == 202, answer.text
    return browser


async def sign_in_by_passkey(browser: Browser, authenticator: Authenticator) -> httpx.Response:
    """The answer to signing in with the passkey alone."""
    options = (await browser.post("/auth/passkeys/sign-in/options")).json()["public_key"]
    return await browser.post("/auth/passkeys/sign-in", json={"credential": authenticator.use(options)})
