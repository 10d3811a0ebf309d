"""`/admin/system`: who may look, what is shown, and what never is."""

from collections.abc import AsyncIterator, Iterator
from io import StringIO
import logging
import os
from pathlib import Path
import socket
from typing import Any

import asyncpg
import pytest
import structlog

from modules.audit.service import RefusalLog
from modules.shared.embedded_postgres import EmbeddedPostgres
from modules.shared.jobs import defer
from modules.shared.logging import configure_logging
from modules.shared.settings import LoggingSettings
from tests.shared.job_tasks import Notes, fail, new_worker, note
from tests.support.gateway import Person, RunningGateway, running_gateway
from tests.support.parts import require_part
from tests.support.postgres import DatabaseUrls, FreshDatabases, ensure_template, new_directory, remove_server
from tests.support.waiting import eventually

ROUTES = ("settings", "database", "logs", "jobs")


@pytest.fixture
async def root(running: RunningGateway) -> Person:
    """A holder of the flag."""
    return await running.person(sysadmin=True)


async def seen(running: RunningGateway, person: Person, what: str, **query: str | int) -> dict[str, Any]:
    """The answer to `GET /admin/system/<what>`."""
    async with running.client(person) as client:
        answer = await client.get(f"/api/v1/admin/system/{what}", params=query)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


class TestEveryRoute:
    @pytest.mark.parametrize("what", ROUTES)
    async def test_is_for_holders_of_the_flag_only(self, running: RunningGateway, what: str) -> None:
        someone = await running.person()
        await running.join(someone, await running.root(), "sysadmin")
        answers = []
        for person in (None, someone):
            async with running.client(person) as client:
                answer = await client.get(f"/api/v1/admin/system/{what}")
                answers.append((answer.status_code, answer.json()["code"]))
        assert answers == [(401, "unauthenticated"), (403, "sysadmin_required")]

    async def test_is_audited(self, running: RunningGateway, root: Person) -> None:
        for what in ROUTES:
            await seen(running, root, what)
        await running.services.get(RefusalLog).flush()
        rows = await running.sql("SELECT code, actor_id, count FROM audit_events WHERE code = 'sysadmin_read'")
        assert rows == [{"code": "sysadmin_read", "actor_id": root.id, "count": len(ROUTES)}]


class TestSettings:
    async def test_have_values_and_sources(self, running: RunningGateway, root: Person) -> None:
        shown = {each["name"]: each for each in (await seen(running, root, "settings"))["items"]}
        assert shown["logging.level"] == {"name": "logging.level", "value": "WARNING", "source": "command line"}
        assert shown["http.request_timeout"] == {"name": "http.request_timeout", "value": "30s", "source": "default"}

    async def test_show_no_secret(self, database_urls: DatabaseUrls, tmp_path: Path) -> None:
        async with running_gateway(database_urls, tmp_path, metrics__token="let-prometheus-in") as running:
            root = await running.person(sysadmin=True)
            async with running.client(root) as client:
                answer = await client.get("/api/v1/admin/system/settings")
        shown = {each["name"]: each["value"] for each in answer.json()["items"]}
        assert shown["metrics.token"] == shown["database.url"] == "********"
        assert "let-prometheus-in" not in answer.text
        assert "mandate_app@" not in answer.text


class TestDatabase:
    async def test_is_described(self, running: RunningGateway, root: Person) -> None:
        found = await seen(running, root, "database")
        assert found["kind"] == "external"
        assert int(found["version"].split(".")[0]) >= 15
        assert found["level"] == found["expected_level"] == "0001"
        assert found["bytes"] > 1_000_000
        assert found["max_connections"] == 400

    async def test_names_its_largest_tables(self, running: RunningGateway, root: Person) -> None:
        tables = (await seen(running, root, "database"))["tables"]
        sizes = [table["bytes"] for table in tables]
        assert sizes == sorted(sizes, reverse=True)
        assert len(tables) == 20
        assert {"public.users", "jobs.procrastinate_jobs"} <= {table["name"] for table in tables}

    async def test_counts_a_partitioned_table_once(self, running: RunningGateway, root: Person) -> None:
        names = [table["name"] for table in (await seen(running, root, "database"))["tables"]]
        assert [name for name in names if name.startswith("public.access_tokens")] == ["public.access_tokens"]

    async def test_counts_connections_by_login(self, running: RunningGateway, root: Person) -> None:
        connections = (await seen(running, root, "database"))["connections"]
        by_login = {each["login"]: each["connections"] for each in connections}
        assert by_login["mandate_auth"] == 2
        assert by_login["mandate_system"] >= 1

    async def test_counts_the_pools_of_this_process(self, running: RunningGateway, root: Person) -> None:
        async with running.database.session() as session:
            await session.connection()
            pools = {pool["login"]: pool for pool in (await seen(running, root, "database"))["pools"]}
        assert (pools["mandate_app"]["size"], pools["mandate_app"]["in_use"]) == (10, 1)
        assert pools["mandate_system"]["in_use"] == 1
        assert (pools["mandate_auth"]["size"], pools["mandate_auth"]["waiting"]) == (2, 0)

    async def test_says_that_statements_are_not_counted(self, running: RunningGateway, root: Person) -> None:
        statements = (await seen(running, root, "database"))["slow_statements"]
        assert statements["available"] is False
        assert "pg_stat_statements" in statements["reason"]


@pytest.fixture(params=["pg_stat_statements", ""])
async def counting(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[RunningGateway, bool]]:
    """A gateway on a PostgreSQL that has the extension, with its library loaded or not."""
    binaries = require_part("postgres-15")
    directory = new_directory()
    settings = {"shared_preload_libraries": request.param}
    try:
        with EmbeddedPostgres(directory, binaries=binaries, durable=False, settings=settings) as server:
            ensure_template(server)
            databases = FreshDatabases(server, "counting")
            with databases.copy() as urls:
                connection = await asyncpg.connect(urls.superuser)
                await connection.execute("CREATE EXTENSION pg_stat_statements")
                await connection.close()
                async with running_gateway(urls, tmp_path) as running:
                    yield running, bool(request.param)
            databases.close()
    finally:
        remove_server(directory)


class TestSlowStatements:
    async def test_are_shown_where_the_server_counts_them(self, counting: tuple[RunningGateway, bool]) -> None:
        running, counts = counting
        root = await running.person(sysadmin=True)
        await running.sql("SELECT 'a secret', pg_sleep(0.05)")
        statements = (await seen(running, root, "database"))["slow_statements"]
        assert statements["available"] is counts
        if not counts:
            assert "shared_preload_libraries" in statements["reason"]
            return
        (slow,) = [each for each in statements["items"] if "pg_sleep" in (each["statement"] or "")]
        assert (slow["login"], slow["calls"]) == ("mandate_system", 1)
        assert slow["total_seconds"] >= 0.05
        assert "a secret" not in str(statements)
        assert {each["statement"] for each in statements["items"] if each["login"] == "mandate_auth"} <= {None}


class TestLogs:
    @pytest.fixture(autouse=True)
    def _logging(self) -> Iterator[None]:
        root = logging.getLogger()
        handlers, level = list(root.handlers), root.level
        configure_logging(LoggingSettings(), StringIO())
        yield
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()

    async def test_say_which_process_of_which_host_answers(self, running: RunningGateway, root: Person) -> None:
        found = await seen(running, root, "logs", limit=1)
        assert (found["host"], found["process"]) == (socket.gethostname(), os.getpid())

    async def test_hold_the_line_of_a_request(self, running: RunningGateway, root: Person) -> None:
        async with running.client() as client:
            await client.get("/api/v1/auth/methods", headers={"X-Request-Id": "looked-for"})
        (line,) = (await seen(running, root, "logs", request_id="looked-for"))["items"]
        assert (line["event"], line["level"], line["logger"]) == ("request", "info", "gateway.access")
        assert (line["fields"]["path"], line["fields"]["status"]) == ("/api/v1/auth/methods", 200)

    async def test_begin_with_the_newest(self, running: RunningGateway, root: Person) -> None:
        for number in range(3):
            structlog.get_logger("tests").info("counted", number=number)
        lines = (await seen(running, root, "logs", event="counted", limit=2))["items"]
        assert [line["fields"]["number"] for line in lines] == [2, 1]

    async def test_are_filtered_by_level(self, running: RunningGateway, root: Person) -> None:
        for level in ("info", "warning", "error"):
            getattr(structlog.get_logger("tests"), level)("leveled")
        lines = (await seen(running, root, "logs", event="leveled", level="warning"))["items"]
        assert [line["level"] for line in lines] == ["error", "warning"]

    async def test_hold_no_secret(self, running: RunningGateway, root: Person) -> None:
        structlog.get_logger("tests").info("redacted", password="hunter2", detail="Bearer abc.def")
        (line,) = (await seen(running, root, "logs", event="redacted"))["items"][:1]
        assert line["fields"] == {"detail": "Bearer [redacted]"}

    @pytest.mark.parametrize("query", [{"limit": 201}, {"limit": 0}, {"level": "loud"}, {"event": "x" * 201}])
    async def test_refuse_senseless_filters(
        self, running: RunningGateway, root: Person, query: dict[str, str | int]
    ) -> None:
        async with running.client(root) as client:
            answer = await client.get("/api/v1/admin/system/logs", params=query)
        assert answer.status_code == 422


class TestJobs:
    async def test_of_an_empty_queue(self, running: RunningGateway, root: Person) -> None:
        found = await seen(running, root, "jobs")
        assert found == {"by_status": {}, "due": 0, "workers": 0, "oldest_waiting": None, "failed": []}

    async def test_that_wait_are_counted_and_the_oldest_named(self, running: RunningGateway, root: Person) -> None:
        here = await running.mandate("here")
        async with running.database.session() as session:
            first = await defer(session, note, line="to ada@example.test", mandate_id=here)
        async with running.database.session() as session:
            await defer(session, note, line="later")
        found = await seen(running, root, "jobs")
        assert (found["by_status"], found["due"]) == ({"todo": 2}, 2)
        oldest = found["oldest_waiting"]
        assert (oldest["id"], oldest["task"], oldest["mandate_id"]) == (first, "test.note", str(here))
        assert "ada@example.test" not in str(found)

    async def test_for_later_are_not_due(self, running: RunningGateway, root: Person) -> None:
        async with running.database.session() as session:
            await defer(session, note, line="tomorrow")
        await running.sql("UPDATE jobs.procrastinate_jobs SET scheduled_at = now() + interval '1 day'")
        found = await seen(running, root, "jobs")
        assert (found["by_status"], found["due"], found["oldest_waiting"]) == ({"todo": 1}, 0, None)

    async def test_that_failed_within_a_day_are_named(
        self, running: RunningGateway, root: Person, database_urls: DatabaseUrls
    ) -> None:
        async with running.database.session() as session:
            with structlog.contextvars.bound_contextvars(request_id="the-cause"):
                job_id = await defer(session, fail, permanently=True)
                await defer(session, fail, permanently=True)
        async with new_worker(database_urls.system, running.database, Notes()).running():
            await eventually(lambda: self.failed(running), seconds=10)
            assert (await seen(running, root, "jobs"))["workers"] == 1
        await running.sql(
            "UPDATE jobs.procrastinate_events SET at = now() - interval '25 hours' WHERE job_id <> :first", first=job_id
        )
        found = await seen(running, root, "jobs")
        assert found["by_status"] == {"failed": 2}
        (failure,) = found["failed"]
        assert (failure["id"], failure["task"], failure["request_id"]) == (job_id, "test.fail", "the-cause")

    async def failed(self, running: RunningGateway) -> bool:
        rows = await running.sql("SELECT count(*) AS n FROM jobs.procrastinate_jobs WHERE status = 'failed'")
        return bool(rows[0]["n"] == 2)
