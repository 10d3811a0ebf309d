"""What a sign-in page is told to draw."""

import pytest

from modules.auth.service.sign_in_methods import SignInMethod, SignInMethods
from modules.shared.i18n import Text
from tests.auth.people import Browser, account
from tests.support.gateway import RunningGateway


class TestMethods:
    async def test_say_how_to_register_and_that_nobody_has_an_account(
        self, gateway: RunningGateway, browser: Browser
    ) -> None:
        found = (await browser.get("/auth/methods")).json()
        assert (found["registration"], found["password_minimum_length"]) == ("open", 12)
        assert (found["product"], found["needs_first_account"]) == ("Mandate Gateway", True)
        await account(gateway, "ada@example.org")
        assert (await browser.get("/auth/methods")).json()["needs_first_account"] is False

    async def test_name_each_way_in_the_language_of_the_browser(self, browser: Browser) -> None:
        answer = await browser.get("/auth/methods", headers={"Accept-Language": "de"})
        ways = {way["name"]: way for way in answer.json()["methods"]}
        assert ways["password"] == {
            "name": "password",
            "kind": "password",
            "display_name": "Passwort",
            "login_path": "/api/v1/auth/login",
        }

    async def test_list_what_was_announced_in_that_order(self, gateway: RunningGateway, browser: Browser) -> None:
        methods = gateway.services.get(SignInMethods)
        methods.offer(SignInMethod("oidc:acme", "provider", Text(en="Acme", de="Acme"), "/api/v1/auth/oidc/acme/login"))
        methods.offer_second_factor("totp")
        methods.offer_second_factor("totp")
        found = (await browser.get("/auth/methods")).json()
        assert [way["name"] for way in found["methods"]][-1] == "oidc:acme"
        assert found["second_factors"].count("totp") == 1

    def test_refuse_two_ways_of_one_name(self) -> None:
        methods = SignInMethods()
        way = SignInMethod("password", "password", Text(en="Password", de="Passwort"), "/api/v1/auth/login")
        methods.offer(way)
        with pytest.raises(ValueError, match="offered already"):
            methods.offer(way)
