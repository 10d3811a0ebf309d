"""Limits count before any credential is looked at, and never lock an owner out of a browser they use."""

import asyncio

import httpx

from modules.auth.service.limits import AuthLimits
from modules.shared.context import Client
from modules.shared.rate_limits import RateLimits
from tests.auth.people import PASSWORD, Browser, account, signed_in
from tests.support.gateway import RunningGateway


def refused(answer: httpx.Response) -> bool:
    return answer.status_code == 429 and int(answer.headers["Retry-After"]) >= 1


class TestPerAddress:
    async def test_counts_the_token_endpoint_together_with_the_login(self, gateway: RunningGateway) -> None:
        for number in range(20):
            await Browser(gateway).log_in(f"{number}@example.org", "x")
        form = {"grant_type": "password", "username": "x@example.org", "password": "x"}
        assert refused(await Browser(gateway).post("/auth/token", data=form))


class TestPerAccount:
    async def test_makes_a_stranger_wait_longer_with_each_failure(self, gateway: RunningGateway) -> None:
        await account(gateway, "ada@example.org")
        answers = [await Browser(gateway).log_in("ada@example.org", "wrong") for _ in range(6)]
        assert [answer.status_code for answer in answers[:4]] == [401] * 4
        assert refused(answers[4])

    async def test_refuses_the_right_password_too_while_it_waits(self, gateway: RunningGateway) -> None:
        await account(gateway, "ada@example.org")
        for _ in range(5):
            await Browser(gateway).log_in("ada@example.org", "wrong")
        assert refused(await Browser(gateway).log_in("ada@example.org"))

    async def test_never_keeps_the_owner_out_of_a_browser_known_to_them(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        await browser.post("/auth/logout")
        for _ in range(6):
            await Browser(gateway).log_in("ada@example.org", "wrong")
        assert (await browser.log_in("ada@example.org")).status_code == 200

    async def test_is_not_waived_by_somebody_else_s_browser(self, gateway: RunningGateway) -> None:
        bob = await signed_in(gateway, "bob@example.org")
        await account(gateway, "ada@example.org")
        for _ in range(5):
            await bob.log_in("ada@example.org", "wrong")
        assert refused(await bob.log_in("ada@example.org"))

    async def test_counts_an_unknown_address_alike(self, gateway: RunningGateway) -> None:
        answers = [await Browser(gateway).log_in("nobody@example.org", "wrong") for _ in range(6)]
        assert refused(answers[4])


class TestStepUp:
    async def test_is_not_kept_from_the_owner_by_strangers(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        for _ in range(6):
            await Browser(gateway).log_in("ada@example.org", "wrong")
        assert (await browser.post("/auth/step-up", json={"password": PASSWORD})).status_code == 200

    async def test_is_refused_after_ten_tries(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        answers = [await browser.post("/auth/step-up", json={"password": "wrong"}) for _ in range(11)]
        assert [refused(answer) for answer in answers] == [False] * 10 + [True]


class TestMails:
    async def test_of_strangers_stop_after_three_an_hour(self, gateway: RunningGateway) -> None:
        await account(gateway, "ada@example.org")
        asked = {"email": "ada@example.org"}
        answers = [await Browser(gateway).post("/auth/password-reset", json=asked) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [202, 202, 202, 429]

    async def test_leave_the_owner_s_browser_a_budget_of_its_own(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        asked = {"email": "ada@example.org"}
        for _ in range(4):
            await Browser(gateway).post("/auth/password-reset", json=asked)
        assert (await browser.post("/auth/password-reset", json=asked)).status_code == 202

    async def test_that_somebody_signed_in_causes_leave_the_owner_s_budget_alone(self, gateway: RunningGateway) -> None:
        browser, bob = await signed_in(gateway, "ada@example.org"), await signed_in(gateway, "bob@example.org")
        asked = {"email": "ada@example.org"}
        for _ in range(4):
            await bob.post("/users/me/email", json=asked)
        assert (await browser.post("/auth/password-reset", json=asked)).status_code == 202


class TestSwitchedOff:
    async def test_counts_nothing(self, gateway: RunningGateway) -> None:
        settings = gateway.gateway.settings.rate_limits.model_copy(update={"enabled": False})
        limits = AuthLimits(gateway.services.get(RateLimits), settings)
        client = Client("203.0.113.1", "", "")
        await asyncio.gather(*(limits.attempt_from(client) for _ in range(50)))
        for _ in range(20):
            await limits.attempt_failed("ada@example.org")
            await limits.attempt_on("ada@example.org")
