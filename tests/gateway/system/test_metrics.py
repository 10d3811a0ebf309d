"""What a scrape tells about connections, jobs, mails, sign-ins, refusals and the audit's queue."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
from prometheus_client.parser import text_string_to_metric_families
import pytest
from sqlalchemy import text

from modules.audit import service as audit
from modules.audit.service import RefusalLog
from modules.shared.context import Client
from modules.shared.errors import Forbidden
from modules.shared.mail import Mail, Mailer, MailRefused, MailUnavailable
from tests.auth.people import FAST_HASHES, Browser, account, signed_in
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.postgres import DatabaseUrls
from tests.support.waiting import eventually

ASK = "INSERT INTO jobs.procrastinate_jobs (task_name, queue_name, scheduled_at, status)"


@pytest.fixture
async def gateway(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """With one connection for requests, so that the second has to wait."""
    one: dict[str, Any] = {"database__pool_size": "1", "database__max_overflow": "0"}
    async with running_gateway(database_urls, tmp_path, **one, **FAST_HASHES) as running:
        yield running


async def scraped(gateway: RunningGateway, name: str, **labels: str) -> float | None:
    """The value of one sample at `/metrics`; None when it is not there."""
    async with gateway.client() as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    samples = (each for family in text_string_to_metric_families(answer.text) for each in family.samples)
    return next((each.value for each in samples if (each.name, each.labels) == (name, labels)), None)


class TestConnections:
    async def test_are_counted_by_login_and_use(self, gateway: RunningGateway) -> None:
        async def of(state: str) -> float | None:
            return await scraped(gateway, "mandate_database_connections", login="mandate_app", state=state)

        async with gateway.database.session() as session:
            await session.execute(text("SELECT 1"))
            assert (await of("in_use"), await of("idle")) == (1, 0)
        assert (await of("in_use"), await of("idle")) == (0, 1)
        assert await scraped(gateway, "mandate_database_pool_size", login="mandate_app") == 1

    async def test_are_counted_for_the_authorisation_too(self, gateway: RunningGateway) -> None:
        assert await scraped(gateway, "mandate_database_pool_size", login="mandate_auth") == 2
        assert await scraped(gateway, "mandate_database_waiting", login="mandate_auth") == 0

    async def test_tell_who_waits_for_one(self, gateway: RunningGateway) -> None:
        async def ask() -> None:
            async with gateway.database.session() as session:
                await session.execute(text("SELECT 1"))

        async with gateway.database.session() as session:
            await session.execute(text("SELECT 1"))
            others = [asyncio.create_task(ask()) for _ in range(2)]
            pool = gateway.database.app_engine.pool
            await eventually(lambda: getattr(pool, "waiting", None) == 2)
            assert await scraped(gateway, "mandate_database_waiting", login="mandate_app") == 2
        await asyncio.gather(*others)
        assert await scraped(gateway, "mandate_database_waiting", login="mandate_app") == 0


class TestJobs:
    async def test_that_are_due_or_failed_are_counted_with_the_age_of_the_oldest(self, gateway: RunningGateway) -> None:
        await gateway.sql(f"{ASK} SELECT 'a', 'q', now() - interval '90 seconds', 'todo' FROM generate_series(1, 2)")
        await gateway.sql(f"{ASK} VALUES ('a', 'q', now() + interval '1 hour', 'todo'), ('a', 'q', NULL, 'failed')")
        assert await scraped(gateway, "mandate_jobs_due") == 2
        assert await scraped(gateway, "mandate_jobs_failed") == 1
        assert await scraped(gateway, "mandate_jobs_oldest_due_seconds") == pytest.approx(90, abs=20)

    async def test_without_a_time_of_their_own_are_due_since_they_were_added(self, gateway: RunningGateway) -> None:
        await gateway.sql(f"{ASK} VALUES ('a', 'q', NULL, 'todo')")
        await gateway.sql("UPDATE jobs.procrastinate_events SET at = now() - interval '5 minutes'")
        assert await scraped(gateway, "mandate_jobs_oldest_due_seconds") == pytest.approx(300, abs=20)

    async def test_are_asked_for_once_in_a_while(self, gateway: RunningGateway) -> None:
        assert await scraped(gateway, "mandate_jobs_due") == 0
        await gateway.sql(f"{ASK} VALUES ('a', 'q', NULL, 'todo')")
        assert await scraped(gateway, "mandate_jobs_due") == 0

    async def test_are_unknown_while_the_queue_cannot_be_asked(
        self, gateway: RunningGateway, database_urls: DatabaseUrls
    ) -> None:
        connection = await asyncpg.connect(database_urls.superuser)
        await connection.execute("ALTER TABLE jobs.procrastinate_jobs RENAME TO elsewhere")
        await connection.close()
        due = await scraped(gateway, "mandate_jobs_due")
        assert due != due  # noqa: PLR0124  # NaN


class TestSignIns:
    async def test_are_counted_by_outcome(self, gateway: RunningGateway) -> None:
        await signed_in(gateway, "ada@example.org")
        await account(gateway, "bob@example.org")
        assert (await Browser(gateway).log_in("bob@example.org", "wrong")).status_code == 401
        assert await scraped(gateway, "mandate_sign_ins_total", outcome="ok") == 1
        assert await scraped(gateway, "mandate_sign_ins_total", outcome="failed") == 1


class TestRefusals:
    async def test_are_counted_by_code(self, gateway: RunningGateway) -> None:
        for _ in range(2):
            assert (await Browser(gateway).get("/users/me")).status_code == 401
        assert await scraped(gateway, "mandate_refusals_total", code="unauthenticated") == 2

    async def test_that_the_audit_has_no_room_for_are_counted(
        self, gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(audit, "_MOST_WAITING", 1)
        for number in range(3):
            client = Client(f"203.0.113.{number}", "", "")
            gateway.services.get(RefusalLog).refused(Forbidden(), user_id=None, mandate_id=None, client=client)
        assert await scraped(gateway, "mandate_audit_dropped_total") == 2


class TestMails:
    async def test_are_counted_by_outcome(self, gateway: RunningGateway) -> None:
        mailer: Mailer = gateway.services.get(Mailer)  # type: ignore[type-abstract]
        await mailer.send(Mail("ada@example.org", "Hello", "Text", "en"))
        with pytest.raises(MailRefused):
            await mailer.send(Mail("no address", "Hello", "Text", "en"))
        directory = gateway.gateway.settings.mail.directory
        directory.rename(directory.with_name("gone"))
        directory.write_text("a file in its place", encoding="utf-8")
        with pytest.raises(MailUnavailable):
            await mailer.send(Mail("ada@example.org", "Hello", "Text", "en"))
        outcomes = ("sent", "refused", "unavailable")
        assert [await scraped(gateway, "mandate_mails_total", outcome=each) for each in outcomes] == [1, 1, 1]
