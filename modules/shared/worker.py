"""Performing jobs: the one file that runs procrastinate.

A `Worker` runs beside the gateway (`running`) or as a process of its own (`run_until_signalled`). It outlives the
database: whatever ends procrastinate's loop is logged and the loop starts again. Jobs of a worker that died are put
back by a task of the queue's own.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
import signal
from typing import Final
from uuid import UUID

import procrastinate
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy, RetryDecision
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import text
import structlog

from modules.shared import clock
from modules.shared.database import Database
from modules.shared.ids import MandateId, UserId
from modules.shared.jobs import JobContext, Retry, Task, TaskRegistry
from modules.shared.services import Services

log = structlog.stdlib.get_logger(__name__)

HEARTBEAT: Final = timedelta(seconds=10)
# Well above the heartbeat: a worker that was only slow would have its jobs run twice.
STALLED_AFTER: Final = timedelta(seconds=60)
_SHORTEST_PAUSE: Final = timedelta(seconds=0.25)
_LONGEST_PAUSE: Final = timedelta(seconds=5)

queue_upkeep = TaskRegistry()


class Worker:
    """Performs the jobs of the given tasks, `concurrency` at a time. `url` is that of the login `mandate_system`."""

    def __init__(
        self,
        url: str,
        registries: Iterable[TaskRegistry],
        database: Database,
        services: Services,
        *,
        concurrency: int = 10,
        graceful_timeout: timedelta = timedelta(seconds=20),
        heartbeat: timedelta = HEARTBEAT,
    ) -> None:
        self._tasks = TaskRegistry(queue_upkeep, *registries)
        self._database = database
        self._services = services
        self._concurrency = concurrency
        self._graceful_timeout = graceful_timeout
        self._heartbeat = heartbeat
        self._conninfo = _conninfo(url)
        self._app = procrastinate.App(
            connector=procrastinate.PsycopgConnector(
                conninfo=self._conninfo, min_size=1, max_size=4, timeout=5, name="jobs"
            )
        )
        for task in self._tasks:
            self._register(task)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work beside the block; at its end give running jobs the graceful timeout and put the unfinished ones back."""
        work = asyncio.create_task(self.run(), name="jobs worker")
        try:
            yield
        finally:
            work.cancel()
            await asyncio.wait([work])

    async def run_until_signalled(self) -> None:
        """Work until SIGTERM or SIGINT, then stop as `running` does."""
        signalled = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, signalled.set)
        async with self.running():
            await signalled.wait()

    async def run(self) -> None:
        """Work until cancelled; never ends by an error."""
        pause = _SHORTEST_PAUSE
        while True:
            started = clock.now()
            try:
                await self._check_database()
                await self._work()
            except Exception as error:  # the gateway must outlive whatever happens here
                _raise_if_cancelled(error)
                lost_database = isinstance(error, psycopg.Error | ConnectorException)
                log.warning("jobs_interrupted", cause=repr(error), exc_info=None if lost_database else error)
            if clock.now() - started > _LONGEST_PAUSE:
                pause = _SHORTEST_PAUSE
            await asyncio.sleep(pause.total_seconds())
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _check_database(self) -> None:
        """Fail at once where the pool would retry by itself, with waits that grow too long."""
        async with await psycopg.AsyncConnection.connect(self._conninfo):
            pass

    async def _work(self) -> None:
        try:
            await self._app.open_async()
            await self._app.run_worker_async(
                name="mandate",
                concurrency=self._concurrency,
                install_signal_handlers=False,
                shutdown_graceful_timeout=self._graceful_timeout.total_seconds(),
                fetch_job_polling_interval=2,  # new jobs announce themselves; retries and released locks are polled
                delete_jobs="successful",
                update_heartbeat_interval=self._heartbeat.total_seconds(),
                stalled_worker_timeout=STALLED_AFTER.total_seconds(),
            )
        finally:
            await self._app.close_async()

    def _register(self, task: Task) -> None:
        # procrastinate's types ask a periodic task for the positional tick it never sends: it comes as a keyword.
        async def perform(context: procrastinate.JobContext, /, *_tick: int, **payload: object) -> None:
            await self._perform(task, context.job, payload)

        registered = self._app.task(name=task.name, pass_context=True, retry=_RetryStrategy(task))(perform)
        if task.cron is not None:
            lock = task.name if task.exclusive else None
            self._app.periodic(cron=task.cron, queueing_lock=task.name, lock=lock)(registered)

    async def _perform(self, task: Task, job: Job, payload: Mapping[str, object]) -> None:
        mandate_id = _uuid(payload.get("mandate_id"))
        actor_id = _uuid(payload.get("actor_id"))
        context = JobContext(
            job_id=job.id or 0,
            attempt=job.attempts + 1,
            mandate_id=MandateId(mandate_id) if mandate_id else None,
            actor_id=UserId(actor_id) if actor_id else None,
            system=task.system,
            database=self._database,
            services=self._services,
            tasks=self._tasks,
        )
        # Bound for the whole asyncio task, one per job: procrastinate's own lines about the outcome carry them too.
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(
            task=task.name, job_id=job.id, attempt=context.attempt, **_log_context(payload)
        )
        arguments = task.arguments.model_validate(payload.get("arguments", {}))
        async with asyncio.timeout(task.time_limit.total_seconds()):
            await task.handler(context, **{name: getattr(arguments, name) for name in type(arguments).model_fields})


_STALLED_JOBS = text(
    """
    SELECT job.id, job.task_name, job.attempts
    FROM jobs.procrastinate_jobs AS job
    LEFT JOIN jobs.procrastinate_workers AS worker ON worker.id = job.worker_id
    WHERE job.status = 'doing'
      AND (worker.id IS NULL OR worker.last_heartbeat < now() - make_interval(secs => :silent_for))
    FOR UPDATE OF job SKIP LOCKED
    """
)
_RETRY_NOW = text("SELECT jobs.procrastinate_retry_job_v2(:job_id, now(), NULL, NULL, NULL)")
_FAIL = text("SELECT jobs.procrastinate_finish_job_v1(:job_id, 'failed', false)")


# Not exclusive: a rescue whose own worker was killed would hold the lock that its rescue needs.
@queue_upkeep.periodic("jobs.rescue", cron="* * * * *", retry=Retry(attempts=1), exclusive=False)
async def rescue(job: JobContext, silent_for: float = STALLED_AFTER.total_seconds()) -> None:
    """Put back the jobs of workers silent for so many seconds; end those that have used up their attempts.

    The rows stay locked from the look to the change, so two rescues never put the same job back twice.
    """
    async with job.session() as session:
        for stalled in (await session.execute(_STALLED_JOBS, {"silent_for": silent_for})).all():
            task = job.tasks.find(stalled.task_name)  # one unknown here may be known to a newer worker
            exhausted = task is not None and task.retry.wait_after(stalled.attempts + 1) is None
            await session.execute(_FAIL if exhausted else _RETRY_NOW, {"job_id": stalled.id})
            log.warning("job_rescued", rescued_job_id=stalled.id, rescued_task=stalled.task_name, given_up=exhausted)


_FORGET_FAILED = text(
    """
    DELETE FROM jobs.procrastinate_jobs AS job
    WHERE job.status IN ('failed', 'aborted', 'cancelled')
      AND NOT EXISTS (
        SELECT FROM jobs.procrastinate_events AS event
        WHERE event.job_id = job.id AND event.at > now() - interval '30 days'
      )
    """
)


@queue_upkeep.periodic("jobs.forget_failed", cron="41 3 * * *", retry=Retry(attempts=1))
async def forget_failed(job: JobContext) -> None:
    """Delete jobs that failed for good 30 days ago; until then they are there to be looked at."""
    async with job.session() as session:
        await session.execute(_FORGET_FAILED)


class _RetryStrategy(BaseRetryStrategy):
    """`Retry` as procrastinate asks for it."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if isinstance(exception, asyncio.CancelledError):  # a shutdown
            return RetryDecision(retry_at=clock.now())
        wait = self._task.retry.wait_after(job.attempts + 1)
        if wait is None or isinstance(exception, self._task.retry.unless):
            return None
        log.warning("job_will_be_retried", cause=repr(exception), wait_seconds=wait.total_seconds())
        return RetryDecision(retry_at=clock.now() + wait)


def _conninfo(url: str) -> str:
    """The URL as libpq's connection string, with procrastinate's schema as the only path."""
    parameters = conninfo_to_dict(url)
    own_options = parameters.pop("options", None) or ""
    parameters.setdefault("application_name", "mandate-worker")
    parameters.setdefault("connect_timeout", 5)
    parameters.setdefault("tcp_user_timeout", 30_000)
    return make_conninfo("", **parameters, options=f"{own_options} -c search_path=jobs,pg_temp".strip())


def _raise_if_cancelled(error: Exception) -> None:
    """A cancelled worker whose last words to the database failed raises that failure instead of the cancellation."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError from error


def _uuid(value: object) -> UUID | None:
    return UUID(value) if isinstance(value, str) else None


def _log_context(payload: Mapping[str, object]) -> dict[str, object]:
    names = {"request_id": "request_id", "mandate_id": "mandate_id", "actor_id": "user_id"}
    return {name: payload[key] for key, name in names.items() if payload.get(key) is not None}
