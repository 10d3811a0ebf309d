"""Tasks for the tests of the job queue, and a worker process that performs them: `python -m tests.shared.job_tasks`."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
import sys
from uuid import UUID

from sqlalchemy import text

from modules.shared.database import Database
from modules.shared.jobs import JobContext, Retry, TaskRegistry
from modules.shared.services import Services
from modules.shared.worker import Worker

SOON = timedelta(milliseconds=10)
registry = TaskRegistry()


@dataclass
class Notes:
    """What the handlers of this process did."""

    lines: list[str] = field(default_factory=list)
    release: asyncio.Event = field(default_factory=asyncio.Event)


class PermanentError(Exception):
    pass


@registry.task("test.note", retry=Retry(attempts=3, first_wait=SOON))
async def note(job: JobContext, *, line: str, reference: UUID | None = None) -> None:
    job.services.get(Notes).lines.append(f"{line} {type(reference).__name__}")


@registry.task("test.fail_twice", retry=Retry(attempts=3, first_wait=SOON))
async def fail_twice(job: JobContext) -> None:
    job.services.get(Notes).lines.append(f"attempt {job.attempt}")
    if job.attempt <= 2:
        raise RuntimeError("not yet")


@registry.task("test.fail", retry=Retry(attempts=2, first_wait=SOON, unless=(PermanentError,)))
async def fail(job: JobContext, *, permanently: bool) -> None:
    job.services.get(Notes).lines.append(f"attempt {job.attempt}")
    raise PermanentError if permanently else RuntimeError


@registry.task("test.hang", retry=Retry(attempts=1), time_limit=timedelta(milliseconds=50))
async def hang(job: JobContext) -> None:
    await asyncio.Event().wait()


@registry.task("test.hold", retry=Retry(attempts=5, first_wait=SOON))
async def hold(job: JobContext, *, line: str) -> None:
    """Run until released, or for ever."""
    notes = job.services.get(Notes)
    notes.lines.append(f"{line} begins")
    await notes.release.wait()
    notes.lines.append(f"{line} ends")


@registry.task("test.hold_and_fail", retry=Retry(attempts=2, first_wait=SOON))
async def hold_and_fail(job: JobContext) -> None:
    notes = job.services.get(Notes)
    notes.lines.append(f"attempt {job.attempt}")
    if job.attempt == 1:
        await notes.release.wait()
        raise RuntimeError


_SEEN = "SELECT current_user, current_setting('mandate.mandate_id', true), current_setting('mandate.user_id', true)"


async def _note_session(job: JobContext) -> None:
    async with job.session() as session:
        seen = (await session.execute(text(_SEEN))).one()
    job.services.get(Notes).lines.append(" ".join(value or "-" for value in seen))


@registry.task("test.look", retry=Retry(attempts=1))
async def look(job: JobContext) -> None:
    await _note_session(job)


@registry.task("test.look_across", retry=Retry(attempts=1), system=True)
async def look_across(job: JobContext) -> None:
    await _note_session(job)


@registry.task("test.touch_or_die", retry=Retry(attempts=5, first_wait=SOON))
async def touch_or_die(job: JobContext, *, folder: str) -> None:
    """The first run never ends; a later one leaves `done`."""
    if job.attempt == 1:
        (Path(folder) / "begun").touch()
        await asyncio.Event().wait()
    (Path(folder) / "done").touch()


def new_worker(
    system_url: str,
    database: Database,
    notes: Notes,
    *,
    registries: tuple[TaskRegistry, ...] = (registry,),
    graceful_timeout: timedelta = timedelta(seconds=5),
    concurrency: int = 4,
) -> Worker:
    services = Services()
    services.add(notes)
    return Worker(
        system_url,
        registries,
        database,
        services,
        concurrency=concurrency,
        graceful_timeout=graceful_timeout,
        heartbeat=timedelta(seconds=0.2),
    )


async def _main(app_url: str, system_url: str) -> None:
    async with Database(app_url, system_url) as database:
        await new_worker(system_url, database, Notes(), graceful_timeout=timedelta(seconds=0.2)).run_until_signalled()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
