"""Whoever asks to sign in, register, reset or get a link learns nothing about an address: not by what is answered, not
by what the database is asked, not by how long it takes.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import event

from modules.auth.passwords import Passwords
from modules.auth.repository import one_time_tokens
from modules.auth.schemas.magic_links import MagicLinkRequest
from modules.auth.service.magic_links import MagicLinkService
from modules.auth.service.mails import send_link
from modules.shared import clock
from modules.shared.context import Visitor
from modules.shared.i18n import Language
from tests.auth.people import PASSWORD, Browser, account
from tests.auth.timing import Ask, measure
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.postgres import DatabaseUrls

ROUNDS = 100
LARGEST_DIFFERENCE = 0.2
"""Five standard deviations of the statistic for so many rounds: what chance reaches once in a million comparisons."""

KINDS = ("known", "unknown", "blocked", "passwordless")
SEVERAL = 10


def addresses() -> dict[str, list[str]]:
    return {kind: [f"{kind}{number}@example.org" for number in range(SEVERAL)] for kind in KINDS}


async def log_in(browser: Browser, email: str) -> httpx.Response:
    password = PASSWORD if email.startswith("blocked") else "not the password"
    return await browser.log_in(email, password)


async def register(browser: Browser, email: str) -> httpx.Response:
    return await browser.post("/auth/register", json={"email": email, "password": PASSWORD})


async def ask_reset(browser: Browser, email: str) -> httpx.Response:
    return await browser.post("/auth/password-reset", json={"email": email})


async def ask_link(browser: Browser, email: str) -> httpx.Response:
    return await browser.post("/auth/magic-link", json={"email": email})


ROUTES: list[Ask] = [log_in, register, ask_reset, ask_link]


@pytest.fixture
async def peopled(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """Without limits, with people of every kind, and with hashes that cost enough to be missed."""
    async with running_gateway(
        database_urls,
        tmp_path,
        rate_limits__enabled="no",
        auth__argon2_memory_kib="4096",
        auth__argon2_iterations="1",
    ) as gateway:
        for kind, emails in addresses().items():
            for email in emails:
                if kind != "unknown":
                    await account(gateway, email, state="disabled" if kind == "blocked" else "active")
        await gateway.sql(
            "DELETE FROM password_credentials WHERE user_id IN (SELECT id FROM users WHERE email LIKE 'passwordless%')"
        )
        yield gateway


@pytest.mark.parametrize("ask", ROUTES)
class TestAnAddress:
    async def test_is_not_told_by_time_or_answer(self, peopled: RunningGateway, ask: Ask) -> None:
        measured = await measure(Browser(peopled), ask, addresses(), ROUNDS)
        answers = list(measured.answers.values())
        assert answers == [answers[0]] * len(KINDS)
        assert len(answers[0]) == 1
        assert {name: far for name, far in measured.differences().items() if far > LARGEST_DIFFERENCE} == {}

    async def test_is_not_told_by_what_the_database_is_asked(self, peopled: RunningGateway, ask: Ask) -> None:
        browser, asked = Browser(peopled), {}
        for kind, emails in addresses().items():
            await ask(browser, emails[0])  # whatever is asked once per process only
            browser.cookies.clear()
            asked[kind] = await statements_of(peopled, browser, ask, emails[1])
            browser.cookies.clear()
        assert asked == dict.fromkeys(KINDS, asked["known"])
        assert asked["known"] != []


class TestTheMeasurement:
    async def test_finds_a_missing_hash(self, peopled: RunningGateway, monkeypatch: pytest.MonkeyPatch) -> None:
        verify = Passwords.verify

        async def hasty(passwords: Passwords, stored: str | None, password: str) -> bool:
            return stored is not None and await verify(passwords, stored, password)

        monkeypatch.setattr(Passwords, "verify", hasty)
        measured = await measure(Browser(peopled), log_in, addresses(), ROUNDS)
        differences = measured.differences()
        assert differences["known/unknown (wall)"] > LARGEST_DIFFERENCE
        assert differences["known/blocked (wall)"] <= LARGEST_DIFFERENCE

    async def test_finds_three_more_mails(self, peopled: RunningGateway, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = MagicLinkService.ask

        async def generous(
            service: MagicLinkService,
            visitor: Visitor,
            wanted: MagicLinkRequest,
            language: Language,
            *,
            flow: str,
            device_secret: str | None,
        ) -> None:
            await asked(service, visitor, wanted, language, flow=flow, device_secret=device_secret)
            if wanted.email.startswith("known"):
                now = clock.now()
                for _ in range(3):
                    token_id = one_time_tokens.add(
                        visitor.db, "flow", authority="local", user_id=None, payload={}, now=now, expires_at=now
                    )
                    await visitor.db.flush()
                    await send_link(visitor.db, token_id)

        monkeypatch.setattr(MagicLinkService, "ask", generous)
        differences = (await measure(Browser(peopled), ask_link, addresses(), ROUNDS)).differences()
        told = {name for name, far in differences.items() if far > LARGEST_DIFFERENCE}
        assert {"known/unknown (processor)", "known/blocked (processor)"} <= told
        assert not any(name.startswith("unknown/blocked") for name in told)


async def statements_of(gateway: RunningGateway, browser: Browser, ask: Ask, email: str) -> list[str]:
    """Every statement of one request, in order."""
    statements: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    engines = [each.sync_engine for each in (gateway.database.app_engine, gateway.database.system_engine)]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", hear)
    try:
        await ask(browser, email)
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", hear)
    return statements
