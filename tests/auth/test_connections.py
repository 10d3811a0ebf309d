"""Hashing a password takes a while on purpose: no database connection is held meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

import pytest
from sqlalchemy import event

from modules.auth.passwords import Passwords
from tests.auth.people import PASSWORD, Browser, Mailbox, account, signed_in
from tests.support.gateway import RunningGateway

OTHER = "seven purple teapots sing"


class Watch:
    """Notes how many connections the task at work holds whenever it hashes or verifies a password."""

    def __init__(self, gateway: RunningGateway) -> None:
        self.held: list[int] = []
        self._holders: dict[int, asyncio.Task[Any] | None] = {}
        for engine in (gateway.database.app_engine, gateway.database.system_engine):
            event.listen(engine.sync_engine, "checkout", self._taken)
            event.listen(engine.sync_engine, "checkin", self._given_back)

    def _taken(self, _connection: object, record: object, _proxy: object) -> None:
        self._holders[id(record)] = asyncio.current_task()

    def _given_back(self, _connection: object, record: object) -> None:
        self._holders.pop(id(record), None)

    def over(self, hashing: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """`hashing`, watched."""

        @wraps(hashing)
        async def watched(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401  # whatever the real one takes
            self.held.append(list(self._holders.values()).count(asyncio.current_task()))
            return await hashing(*arguments, **named)

        return watched


@pytest.fixture
def watch(mailing_gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch) -> Watch:
    watch, passwords = Watch(mailing_gateway), mailing_gateway.services.get(Passwords)
    for name in ("hash", "verify"):
        monkeypatch.setattr(passwords, name, watch.over(getattr(passwords, name)))
    return watch


class TestNoConnectionIsHeld:
    async def test_while_somebody_registers(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox, watch: Watch
    ) -> None:
        registration = {"email": "ada@example.org", "password": PASSWORD}
        await Browser(mailing_gateway).post("/auth/register", json=registration)
        proof = {"token": await mailbox.link_to("ada@example.org"), "password": PASSWORD}
        assert (await Browser(mailing_gateway).post("/auth/email/verify", json=proof)).status_code == 200
        assert watch.held == [0, 0]

    async def test_while_somebody_resets_their_password(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox, watch: Watch
    ) -> None:
        await account(mailing_gateway, "ada@example.org")
        await Browser(mailing_gateway).post("/auth/password-reset", json={"email": "ada@example.org"})
        token = await mailbox.link_to("ada@example.org")
        watch.held.clear()
        answer = await Browser(mailing_gateway).post(
            "/auth/password-reset/confirm", json={"token": token, "password": OTHER}
        )
        assert (answer.status_code, watch.held) == (204, [0])

    async def test_while_somebody_signs_in_or_changes_their_password(
        self, mailing_gateway: RunningGateway, watch: Watch
    ) -> None:
        browser = await signed_in(mailing_gateway, "ada@example.org")
        watch.held.clear()
        assert (await browser.post("/auth/step-up", json={"password": PASSWORD})).status_code == 200
        assert (await browser.post("/users/me/password", json={"password": OTHER})).status_code == 204
        assert watch.held == [0, 0]
