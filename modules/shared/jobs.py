"""Work that follows from committed rows: declaring tasks and deferring jobs.

A feature declares its tasks on a `TaskRegistry`; `defer` puts a job into the caller's own transaction, so it exists
exactly when that transaction commits. A worker (`modules.shared.worker`) performs it at least once: handlers are
idempotent. Arguments lie in the database in the clear, so they carry ids, never secrets or addresses.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
import inspect
import json
from typing import Any, Concatenate, Final, ParamSpec, get_type_hints

from pydantic import BaseModel, ConfigDict, create_model
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
import structlog

from modules.shared.database import Database, Tenant
from modules.shared.ids import MandateId, UserId
from modules.shared.services import Services

P = ParamSpec("P")

_QUEUEING_LOCK_INDEX: Final = "procrastinate_jobs_queueing_lock_idx_v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """When a job that raised runs again.

    At most `attempts` runs; the first wait is doubled each time up to `longest_wait`; an error of `unless` ends the job
    at once. A job cut off by a shutdown always runs again, and is counted.
    """

    attempts: int
    first_wait: timedelta = timedelta(seconds=10)
    longest_wait: timedelta = timedelta(hours=1)
    unless: tuple[type[Exception], ...] = ()

    def wait_after(self, failures: int) -> timedelta | None:
        """How long to wait after so many failed runs; None when no further run is due."""
        if failures >= self.attempts:
            return None
        # 2 ** 32 of any wait is longer than every longest_wait; the bound keeps timedelta from overflowing.
        doublings = min(failures - 1, 32)
        return min(self.first_wait * (1 << doublings), self.longest_wait)


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a handler is given beside its arguments: which job, for whom, and the way to database and services."""

    job_id: int
    attempt: int
    """1 for the first run."""
    mandate_id: MandateId | None
    actor_id: UserId | None
    """The user whose act caused the job."""
    system: bool
    database: Database
    services: Services
    tasks: "TaskRegistry"
    """All tasks of the worker."""

    def session(self) -> AbstractAsyncContextManager[AsyncSession]:
        """One transaction: across mandates for a system task, else bound to the job's mandate and actor."""
        if self.system:
            return self.database.system_session()
        return self.database.session(Tenant(mandate_id=self.mandate_id, user_id=self.actor_id))


@dataclass(frozen=True, slots=True)
class Task:
    """A declared task; made by `TaskRegistry.task` and `TaskRegistry.periodic` only."""

    name: str
    handler: Callable[..., Awaitable[None]]
    arguments: type[BaseModel]
    retry: Retry
    system: bool
    time_limit: timedelta
    cron: str | None = None
    exclusive: bool = False


class TaskRegistry:
    """The tasks of one feature, or those of all the `registries` given. A name declared twice is refused."""

    def __init__(self, *registries: "TaskRegistry") -> None:
        self._tasks: dict[str, Task] = {}
        for registry in registries:
            for task in registry:
                self._add(task)

    def __iter__(self) -> Iterator[Task]:
        return iter(self._tasks.values())

    def find(self, name: str) -> Task | None:
        return self._tasks.get(name)

    def task(
        self, name: str, *, retry: Retry, system: bool = False, time_limit: timedelta = timedelta(minutes=5)
    ) -> Callable[[Callable[Concatenate[JobContext, P], Awaitable[None]]], Task]:
        """Declare the handler below as the task `name`, for ever the name of its jobs.

        Its keyword arguments travel as JSON and arrive as the types it declares. A `system` task sees every mandate.
        """

        def declare(handler: Callable[Concatenate[JobContext, P], Awaitable[None]]) -> Task:
            return self._add(Task(name, handler, _arguments_of(handler), retry, system, time_limit))

        return declare

    def periodic(
        self,
        name: str,
        *,
        cron: str,
        retry: Retry,
        time_limit: timedelta = timedelta(minutes=5),
        exclusive: bool = True,
    ) -> Callable[[Callable[[JobContext], Awaitable[None]]], Task]:
        """Declare the handler below as a system task deferred at every `cron` tick (UTC; a sixth field counts seconds).

        One job per tick whatever the number of workers, and none while another of the task waits. An `exclusive` task
        has one run at a time in the whole installation. Ticks missed for more than ten minutes are not made up for.
        """

        def declare(handler: Callable[[JobContext], Awaitable[None]]) -> Task:
            return self._add(Task(name, handler, _arguments_of(handler), retry, True, time_limit, cron, exclusive))

        return declare

    def _add(self, task: Task) -> Task:
        if task.name in self._tasks:
            raise ValueError(f"task {task.name} is declared twice")
        self._tasks[task.name] = task
        return task


async def defer(
    session: AsyncSession,
    task: Task,
    *,
    mandate_id: MandateId | None = None,
    actor_id: UserId | None = None,
    lock: str | None = None,
    queueing_lock: str | None = None,
    schedule_at: datetime | None = None,
    priority: int = 0,
    **arguments: object,
) -> int | None:
    """Put a job of `task` into the session's transaction and answer its number.

    None if a job with the same `queueing_lock` waits already. Jobs of one `lock` run one at a time in the order
    deferred, so a retry that waits also holds back the later ones. Higher `priority` first. Arguments that do not fit
    the handler raise here, not in the worker.
    """
    job = {
        "task": task.name,
        "priority": priority,
        "lock": lock,
        "queueing_lock": queueing_lock,
        "scheduled_at": schedule_at,
        "payload": json.dumps(_payload(task, mandate_id, actor_id, arguments)),
    }
    if queueing_lock is None:
        return await _insert(session, job)
    try:
        async with session.begin_nested():
            return await _insert(session, job)
    except IntegrityError as error:
        if _QUEUEING_LOCK_INDEX not in str(error.orig):
            raise
        return None


def _payload(
    task: Task, mandate_id: MandateId | None, actor_id: UserId | None, arguments: dict[str, object]
) -> dict[str, object]:
    return {
        "arguments": task.arguments.model_validate(arguments).model_dump(mode="json"),
        "mandate_id": str(mandate_id) if mandate_id else None,
        "actor_id": str(actor_id) if actor_id else None,
        "request_id": structlog.contextvars.get_contextvars().get("request_id"),
    }


# The function is SECURITY DEFINER: the login of requests has no other right on the queue.
_DEFER = text(
    """
    SELECT (jobs.procrastinate_defer_jobs_v1(ARRAY[ROW(
        'default',
        CAST(:task AS varchar),
        CAST(:priority AS integer),
        CAST(:lock AS text),
        CAST(:queueing_lock AS text),
        CAST(CAST(:payload AS text) AS jsonb),
        CAST(:scheduled_at AS timestamptz)
    )::jobs.procrastinate_job_to_defer_v1]))[1]
    """
)


async def _insert(session: AsyncSession, job: dict[str, object]) -> int:
    job_id: int = (await session.execute(_DEFER, job)).scalar_one()
    return job_id


def _arguments_of(handler: Callable[..., Awaitable[None]]) -> type[BaseModel]:
    """A model of the handler's keyword arguments, so that ids, dates and enums survive the way through JSON."""
    hints = get_type_hints(handler, include_extras=True)
    _context, *parameters = inspect.signature(handler).parameters.values()
    fields: dict[str, Any] = {
        parameter.name: (hints[parameter.name], ... if parameter.default is parameter.empty else parameter.default)
        for parameter in parameters
    }
    if taken := fields.keys() & inspect.signature(defer).parameters.keys():
        raise ValueError(f"arguments named like options of defer: {', '.join(sorted(taken))}")
    return create_model(handler.__name__, __config__=ConfigDict(extra="forbid"), **fields)
