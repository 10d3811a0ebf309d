"""The job queue on a real PostgreSQL: what is promised about a job between its transaction and its end."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
import os
from pathlib import Path
import signal
import subprocess
import sys
from uuid import UUID

import psycopg
from pydantic import ValidationError
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
import structlog

import gateway.migrations
from modules.shared.database import Database
from modules.shared.embedded_postgres import EmbeddedPostgres
from modules.shared.ids import MandateId, UserId, new_id
from modules.shared.jobs import JobContext, Retry, TaskRegistry, defer
from modules.shared.worker import Worker, forget_failed, rescue
from tests.shared.job_tasks import (
    Notes,
    fail,
    fail_twice,
    hang,
    hold,
    hold_and_fail,
    look,
    look_across,
    new_worker,
    note,
    registry,
    touch_or_die,
)
from tests.support.postgres import (
    DatabaseUrls,
    ensure_template,
    new_directory,
    remove_server,
)
from tests.support.waiting import eventually


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    async with Database(database_urls.app, database_urls.system) as opened:
        yield opened


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def worker(database_urls: DatabaseUrls, database: Database, notes: Notes) -> Worker:
    return new_worker(database_urls.system, database, notes)


async def statuses(database: Database, task: str) -> list[str]:
    """The states of the task's jobs that are still in the queue."""
    query = text("SELECT status::text FROM jobs.procrastinate_jobs WHERE task_name = :task ORDER BY id")
    async with database.system_session() as session:
        return list(await session.scalars(query, {"task": task}))


class TestDefer:
    async def test_is_rolled_back_with_the_callers_transaction(self, database: Database) -> None:
        async with database.session() as session:
            assert await defer(session, note, line="never") is not None
            await session.rollback()
        assert await statuses(database, "test.note") == []

    async def test_is_performed_once_the_transaction_commits(
        self, database: Database, worker: Worker, notes: Notes
    ) -> None:
        async with worker.running():
            async with database.session() as session:
                await defer(session, note, line="hello", reference=new_id())
                await asyncio.sleep(0.3)
                assert notes.lines == []
            await eventually(lambda: notes.lines == ["hello UUID"], seconds=3)

    async def test_refuses_arguments_the_handler_does_not_take(self, database: Database) -> None:
        async with database.session() as session:
            with pytest.raises(ValidationError, match="unknown_argument"):
                await defer(session, note, line="x", unknown_argument=1)

    async def test_answers_none_for_a_second_job_of_a_queueing_lock_and_leaves_the_transaction_usable(
        self, database: Database
    ) -> None:
        async with database.session() as session:
            assert await defer(session, note, line="first", queueing_lock="one") is not None
        async with database.session() as session:
            assert await defer(session, note, line="second", queueing_lock="one") is None
            assert await defer(session, note, line="third") is not None
        assert await statuses(database, "test.note") == ["todo", "todo"]

    async def test_waits_until_the_time_it_is_scheduled_for(
        self, database: Database, worker: Worker, notes: Notes
    ) -> None:
        async with database.session() as session:
            await defer(session, note, line="tomorrow", schedule_at=datetime.now(UTC) + timedelta(days=1))
            await defer(session, note, line="today")
        async with worker.running():
            await eventually(lambda: bool(notes.lines))
        assert notes.lines == ["today NoneType"]
        assert await statuses(database, "test.note") == ["todo"]

    async def test_prefers_the_higher_priority(
        self, database_urls: DatabaseUrls, database: Database, notes: Notes
    ) -> None:
        async with database.session() as session:
            await defer(session, note, line="low")
            await defer(session, note, line="high", priority=1)
        async with new_worker(database_urls.system, database, notes, concurrency=1).running():
            await eventually(lambda: len(notes.lines) == 2)
        assert notes.lines == ["high NoneType", "low NoneType"]

    async def test_is_all_the_login_of_requests_may_do(self, database: Database) -> None:
        with pytest.raises(DBAPIError, match="permission denied"):
            async with database.session() as session:
                await session.execute(text("SELECT args FROM jobs.procrastinate_jobs"))

    async def test_is_nothing_for_the_login_of_the_authorisation_statement(self, database_urls: DatabaseUrls) -> None:
        async with Database(database_urls.auth, database_urls.system) as other:
            with pytest.raises(DBAPIError, match="permission denied"):
                async with other.session() as session:
                    await defer(session, note, line="x")


class TestPerforming:
    async def test_deletes_a_job_that_ended_well(self, database: Database, worker: Worker, notes: Notes) -> None:
        async with database.session() as session:
            await defer(session, note, line="x")
        async with worker.running():
            await eventually(lambda: bool(notes.lines))
        assert await statuses(database, "test.note") == []

    async def test_opens_sessions_of_the_mandate_and_actor(
        self, database: Database, worker: Worker, notes: Notes
    ) -> None:
        mandate_id, actor_id = MandateId(new_id()), UserId(new_id())
        async with database.session() as session:
            await defer(session, look, mandate_id=mandate_id, actor_id=actor_id)
        async with worker.running():
            await eventually(lambda: bool(notes.lines))
        assert notes.lines == [f"mandate_app {mandate_id} {actor_id}"]

    async def test_opens_sessions_across_mandates_for_a_system_task(
        self, database: Database, worker: Worker, notes: Notes
    ) -> None:
        async with database.session() as session:
            await defer(session, look_across, mandate_id=MandateId(new_id()))
        async with worker.running():
            await eventually(lambda: bool(notes.lines))
        assert notes.lines == ["mandate_system - -"]

    async def test_retries_a_job_that_raised(self, database: Database, worker: Worker, notes: Notes) -> None:
        async with database.session() as session:
            await defer(session, fail_twice)
        async with worker.running():
            await eventually(lambda: len(notes.lines) == 3, seconds=25)
        assert notes.lines == ["attempt 1", "attempt 2", "attempt 3"]
        assert await statuses(database, "test.fail_twice") == []

    async def test_gives_up_after_the_last_attempt_and_keeps_the_job(
        self, database: Database, worker: Worker, notes: Notes
    ) -> None:
        async with database.session() as session:
            await defer(session, fail, permanently=False)
        async with worker.running():
            await eventually(lambda: len(notes.lines) == 2)
        assert await statuses(database, "test.fail") == ["failed"]

    async def test_gives_up_at_once_on_an_error_no_retry_can_cure(
        self, database: Database, worker: Worker, notes: Notes
    ) -> None:
        async with database.session() as session:
            await defer(session, fail, permanently=True)
        async with worker.running():
            await eventually(lambda: bool(notes.lines))
        assert notes.lines == ["attempt 1"]
        assert await statuses(database, "test.fail") == ["failed"]

    async def test_ends_a_job_that_exceeds_its_time_limit(self, database: Database, worker: Worker) -> None:
        async with database.session() as session:
            await defer(session, hang)
        async with worker.running():

            async def failed() -> bool:
                return await statuses(database, "test.hang") == ["failed"]

            await eventually(failed)

    async def test_runs_jobs_of_one_lock_one_at_a_time(self, database: Database, worker: Worker, notes: Notes) -> None:
        async with database.session() as session:
            await defer(session, hold, line="first", lock="one")
            await defer(session, hold, line="second", lock="one")
            await defer(session, note, line="free")
        async with worker.running():
            await eventually(lambda: len(notes.lines) == 2)
            await asyncio.sleep(0.3)
            assert sorted(notes.lines) == ["first begins", "free NoneType"]
            notes.release.set()
            await eventually(lambda: notes.lines[-1] == "second ends")

    async def test_retries_a_job_whose_queueing_lock_a_later_one_holds(
        self, database: Database, worker: Worker, notes: Notes
    ) -> None:
        async with worker.running():
            async with database.session() as session:
                await defer(session, hold_and_fail, queueing_lock="one")
            await eventually(lambda: notes.lines == ["attempt 1"])
            async with database.session() as session:
                tomorrow = datetime.now(UTC) + timedelta(days=1)
                await defer(session, hold_and_fail, queueing_lock="one", schedule_at=tomorrow)
            notes.release.set()
            await eventually(lambda: notes.lines == ["attempt 1", "attempt 2"])
        assert await statuses(database, "test.hold_and_fail") == ["todo"]

    async def test_logs_with_the_request_that_caused_the_job(
        self, database_urls: DatabaseUrls, database: Database, notes: Notes
    ) -> None:
        own = TaskRegistry()

        @own.task("test.context", retry=Retry(attempts=1))
        async def context(job: JobContext) -> None:
            notes.lines.append(str(structlog.contextvars.get_contextvars()["request_id"]))

        with structlog.contextvars.bound_contextvars(request_id="r-1"):
            async with database.session() as session:
                await defer(session, context)
        async with new_worker(database_urls.system, database, notes, registries=(own,)).running():
            await eventually(lambda: notes.lines == ["r-1"])


class TestPeriodicTask:
    async def test_runs_once_per_tick_however_many_workers_there_are(
        self, database_urls: DatabaseUrls, database: Database, notes: Notes
    ) -> None:
        own = TaskRegistry()

        @own.periodic("test.tick", cron="* * * * * */2", retry=Retry(attempts=1))
        async def tick(job: JobContext) -> None:
            notes.lines.append(str(job.job_id))

        first, second = (new_worker(database_urls.system, database, notes, registries=(own,)) for _ in range(2))
        started = asyncio.get_running_loop().time()
        async with first.running(), second.running():
            await eventually(lambda: len(notes.lines) >= 3)
        ticks = (asyncio.get_running_loop().time() - started) / 2
        assert len(notes.lines) <= ticks + 2

    def test_may_be_declared_only_once(self) -> None:
        with pytest.raises(ValueError, match=r"test\.note is declared twice"):
            TaskRegistry(registry, registry)


class TestStopping:
    async def test_puts_a_job_back_that_does_not_end_in_time(
        self, database_urls: DatabaseUrls, database: Database, notes: Notes
    ) -> None:
        hasty = new_worker(database_urls.system, database, notes, graceful_timeout=timedelta(seconds=0.1))
        async with database.session() as session:
            await defer(session, hold, line="long")
        async with hasty.running():
            await eventually(lambda: notes.lines == ["long begins"])
        assert await statuses(database, "test.hold") == ["todo"]
        notes.release.set()
        async with hasty.running():
            await eventually(lambda: notes.lines == ["long begins", "long begins", "long ends"])

    async def test_lets_a_job_end_that_takes_less(self, database: Database, worker: Worker, notes: Notes) -> None:
        async with database.session() as session:
            await defer(session, hold, line="short")
        async with worker.running():
            await eventually(lambda: notes.lines == ["short begins"])
            asyncio.get_running_loop().call_later(0.2, notes.release.set)
        assert notes.lines == ["short begins", "short ends"]

    async def test_by_sigterm_ends_the_process_well_and_puts_its_job_back(
        self, database_urls: DatabaseUrls, database: Database, tmp_path: Path
    ) -> None:
        async with database.session() as session:
            await defer(session, touch_or_die, folder=str(tmp_path))
        process = start_worker_process(database_urls)
        await eventually((tmp_path / "begun").exists, seconds=30)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 20) == 0
        assert await statuses(database, "test.touch_or_die") == ["todo"]


class TestRescue:
    async def test_runs_a_job_again_whose_worker_was_killed(
        self, database_urls: DatabaseUrls, database: Database, worker: Worker, tmp_path: Path
    ) -> None:
        async with database.session() as session:
            await defer(session, touch_or_die, folder=str(tmp_path))
        process = start_worker_process(database_urls)
        await eventually((tmp_path / "begun").exists, seconds=30)
        process.kill()
        await asyncio.to_thread(process.wait)
        async with worker.running():
            await asyncio.sleep(1)
            assert await statuses(database, "test.touch_or_die") == ["doing"]
            async with database.session() as session:
                await defer(session, rescue, silent_for=1)
            await eventually((tmp_path / "done").exists)

    async def test_leaves_the_jobs_of_a_living_worker_alone(
        self, database: Database, worker: Worker, notes: Notes
    ) -> None:
        async with worker.running():
            async with database.session() as session:
                await defer(session, hold, line="long")
            await eventually(lambda: notes.lines == ["long begins"])
            await asyncio.sleep(1.2)
            async with database.session() as session:
                await defer(session, rescue, silent_for=1)

            async def rescued() -> bool:
                return await statuses(database, "jobs.rescue") == []

            await eventually(rescued)
            assert await statuses(database, "test.hold") == ["doing"]
            notes.release.set()
        assert notes.lines == ["long begins", "long ends"]

    async def test_gives_up_a_job_that_has_used_its_attempts(self, database: Database, worker: Worker) -> None:
        async with database.session() as session:
            job_id = await defer(session, hang)
        async with database.system_session() as session:
            lost = text("UPDATE jobs.procrastinate_jobs SET status = 'doing' WHERE id = :job_id")
            await session.execute(lost, {"job_id": job_id})
        async with database.session() as session:
            await defer(session, rescue)
        async with worker.running():

            async def failed() -> bool:
                return await statuses(database, "test.hang") == ["failed"]

            await eventually(failed)


class TestForgetFailed:
    async def test_deletes_only_what_failed_long_ago(self, database: Database, worker: Worker, notes: Notes) -> None:
        async with database.session() as session:
            old = await defer(session, fail, permanently=True)
            await defer(session, fail, permanently=True)
        async with worker.running():
            await eventually(lambda: len(notes.lines) == 2)
        async with database.system_session() as session:
            age = text("UPDATE jobs.procrastinate_events SET at = at - interval '31 days' WHERE job_id = :job_id")
            await session.execute(age, {"job_id": old})
            await defer(session, forget_failed)
        async with worker.running():

            async def forgotten() -> bool:
                return await statuses(database, "jobs.forget_failed") == []

            await eventually(forgotten)
        assert await statuses(database, "test.fail") == ["failed"]


class TestOutage:
    async def test_of_the_database_is_outlived(self, notes: Notes) -> None:
        directory = new_directory()
        server = EmbeddedPostgres(directory)  # durable: what was committed must be there after the kill
        try:
            await asyncio.to_thread(server.start)
            await asyncio.to_thread(ensure_template, server)
            await self._work_through_an_outage(server, directory, notes)
        finally:
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(remove_server, directory)

    async def _work_through_an_outage(self, server: EmbeddedPostgres, directory: Path, notes: Notes) -> None:
        urls = server.url("mandate_template", "mandate_app"), server.url("mandate_template", "mandate_system")
        async with Database(*urls) as database, new_worker(urls[1], database, notes).running():
            async with database.session() as session:
                await defer(session, note, line="before")

            async def performed() -> bool:
                return notes.lines == ["before NoneType"] and await statuses(database, "test.note") == []

            await eventually(performed)
            postmaster = int((directory / "cluster" / "postmaster.pid").read_text().splitlines()[0])
            os.kill(postmaster, signal.SIGKILL)
            await asyncio.sleep(1)
            await asyncio.to_thread(server.ensure_running)
            await database.close()  # the connections that died; new ones are made on use
            async with database.session() as session:
                await defer(session, note, line="after")
            await eventually(lambda: len(notes.lines) == 2, seconds=20)
        assert notes.lines == ["before NoneType", "after NoneType"]


class TestSchema:
    def test_is_that_of_the_installed_procrastinate_between_the_marks(self) -> None:
        ours = (files(gateway.migrations) / "versions" / "0001_jobs.sql").read_text(encoding="utf-8")
        theirs = (files("procrastinate") / "sql" / "schema.sql").read_text(encoding="utf-8")
        assert f"─\n{theirs}-- ── end: procrastinate" in ours

    def test_leaves_no_function_without_a_path_of_its_own(self, database_urls: DatabaseUrls) -> None:
        with psycopg.connect(database_urls.superuser) as connection:
            paths = connection.execute("SELECT proconfig FROM pg_proc WHERE pronamespace = 'jobs'::regnamespace")
            assert {str(path) for (path,) in paths} == {"['search_path=jobs, pg_temp']"}

    def test_puts_nothing_beside_the_schema_of_the_queue(self, database_urls: DatabaseUrls) -> None:
        with psycopg.connect(database_urls.superuser) as connection:
            strays = connection.execute(
                "SELECT relname FROM pg_class WHERE relname LIKE '%procrastinate%'"
                " AND relnamespace NOT IN ('jobs'::regnamespace, 'pg_toast'::regnamespace)"
            )
            assert strays.fetchall() == []


class TestRetry:
    def test_doubles_the_wait_up_to_the_longest(self) -> None:
        retry = Retry(attempts=50, first_wait=timedelta(seconds=10), longest_wait=timedelta(seconds=60))
        waits = [retry.wait_after(failures) for failures in (1, 2, 3, 4, 49, 50)]
        assert waits == [*(timedelta(seconds=seconds) for seconds in (10, 20, 40, 60, 60)), None]


class TestDeclaration:
    def test_refuses_an_argument_named_like_an_option_of_defer(self) -> None:
        async def handler(job: JobContext, lock: UUID) -> None: ...

        with pytest.raises(ValueError, match="lock"):
            TaskRegistry().task("test.clash", retry=Retry(attempts=1))(handler)


def start_worker_process(urls: DatabaseUrls) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.shared.job_tasks", urls.app, urls.system])
