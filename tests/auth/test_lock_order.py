"""Two of a person's links used at the same moment: each is answered, and neither waits for the other for ever.

Whoever ends links has locked their user; whoever uses one locks the user first, too. The other order is a deadlock,
which PostgreSQL ends by refusing one of the two.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
import re

import httpx
import pytest

from tests.auth.people import FAST_HASHES, Browser, Mailbox, account, signed_in
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.postgres import DatabaseUrls
from tests.support.waiting import eventually

PAIRS = 8
CHOSEN = "seven purple teapots sing"


@pytest.fixture
async def unlimited(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """With a worker, and without limits: it is asked more often than a person asks."""
    async with running_gateway(
        database_urls, tmp_path, jobs__in_process="yes", rate_limits__enabled="no", **FAST_HASHES
    ) as running:
        yield running


async def _links(mailbox: Mailbox, address: str, page: str, count: int = 1) -> list[str]:
    def found() -> list[str]:
        return re.findall(rf"#/{page}/([\w-]{{43}})", " ".join(mailbox.to(address)))

    await eventually(lambda: len(found()) == count)
    return found()


def _outcome(answers: tuple[httpx.Response, ...]) -> list[int]:
    return sorted(answer.status_code for answer in answers)


class TestTwoLinksAtOnce:
    async def test_of_a_reset(self, unlimited: RunningGateway) -> None:
        mailbox, browser = Mailbox(unlimited), Browser(unlimited)
        seen = []
        for number in range(PAIRS):
            address = f"p{number}@example.org"
            await account(unlimited, address)
            for _ in range(2):
                await browser.post("/auth/password-reset", json={"email": address})
            tokens = await _links(mailbox, address, "reset-password", 2)
            posts = (
                Browser(unlimited).post("/auth/password-reset/confirm", json={"token": token, "password": CHOSEN})
                for token in tokens
            )
            seen.append(_outcome(tuple(await asyncio.gather(*posts))))
        assert seen == [[204, 422]] * PAIRS

    async def test_of_a_sign_in_and_of_a_change_of_address(self, unlimited: RunningGateway) -> None:
        mailbox = Mailbox(unlimited)
        seen = []
        for number in range(PAIRS):
            old, new = f"p{number}@example.org", f"p{number}@example.net"
            browser = await signed_in(unlimited, old)
            other = Browser(unlimited)
            await other.post("/auth/magic-link", json={"email": old})
            await browser.post("/users/me/email", json={"email": new})
            (enter,), (change,) = await _links(mailbox, old, "magic-link"), await _links(mailbox, new, "verify-email")
            answers = await asyncio.gather(
                other.post("/auth/magic-link/verify", json={"token": enter}),
                browser.post("/auth/email/verify", json={"token": change}),
            )
            seen.append(tuple(answer.status_code for answer in answers))
        assert set(seen) <= {(200, 204), (422, 204)}

    async def test_of_a_change_of_address_and_of_a_reset(self, unlimited: RunningGateway) -> None:
        mailbox = Mailbox(unlimited)
        seen = []
        for number in range(PAIRS):
            old, new = f"p{number}@example.org", f"p{number}@example.net"
            browser = await signed_in(unlimited, old)
            await browser.post("/auth/password-reset", json={"email": old})
            await browser.post("/users/me/email", json={"email": new})
            (reset,) = await _links(mailbox, old, "reset-password")
            (change,) = await _links(mailbox, new, "verify-email")
            answers = await asyncio.gather(
                Browser(unlimited).post("/auth/password-reset/confirm", json={"token": reset, "password": CHOSEN}),
                browser.post("/auth/email/verify", json={"token": change}),
            )
            seen.append(tuple(answer.status_code for answer in answers))
        assert set(seen) <= {(204, 422), (422, 204)}

    async def test_of_two_ways_to_take_an_address_back(self, unlimited: RunningGateway) -> None:
        mailbox = Mailbox(unlimited)
        seen = []
        for number in range(PAIRS):
            first, second, third = (f"p{number}@{domain}" for domain in ("a.example", "b.example", "c.example"))
            browser = await signed_in(unlimited, first)
            for address in (second, third):
                await browser.post("/users/me/email", json={"email": address})
                (change,) = await _links(mailbox, address, "verify-email")
                assert (await browser.post("/auth/email/verify", json={"token": change})).status_code == 204
            backs = [(await _links(mailbox, address, "take-back-email"))[0] for address in (first, second)]
            posts = (Browser(unlimited).post("/auth/email/take-back", json={"token": token}) for token in backs)
            seen.append(tuple(answer.status_code for answer in await asyncio.gather(*posts)))
        assert set(seen) <= {(204, 422), (204, 204)}
