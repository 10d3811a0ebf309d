"""PostgreSQL is killed, or stops answering, while requests come in: they are told to come back, what was acknowledged
is kept, and when it is back everything goes on without a restart.

The gateway runs its own embedded server here, durable as in production, and nobody else uses it.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
import os
from pathlib import Path
import shutil
import signal
from time import monotonic

import httpx
import pytest
from sqlalchemy.pool import QueuePool

from gateway.app import Gateway, stand_alone
from gateway.embedded_database import embedded_directory
from gateway.settings import Settings
from modules.rbac.repository.authorisation import Authorisation
from modules.shared.ids import MandateId
from tests.support.gateway import Person, RunningGateway
from tests.support.postgres import new_directory

_PATIENCE = 60.0
_WRITERS, _READERS = 8, 4
_REQUEST_SECONDS = 4.0
_LONGEST_ANSWER = _REQUEST_SECONDS + 3  # a loaded machine may be late
pytestmark = pytest.mark.slow


@pytest.fixture
def directory() -> Iterator[Path]:
    path = new_directory()
    path.chmod(0o711)  # where the tests run as root, the server has an account of its own
    yield path
    shutil.rmtree(path)


@pytest.fixture
async def gateway(directory: Path) -> AsyncIterator[RunningGateway]:
    chosen = {
        "installation.data_directory": str(directory),
        "http.request_timeout": f"{_REQUEST_SECONDS:.0f}s",
        "jobs.in_process": "no",
        "rate_limits.enabled": "no",
    }
    mounted = Gateway(Settings.load(None, environment={}, overrides=chosen))
    app = stand_alone(mounted)
    async with app.router.lifespan_context(app):
        yield RunningGateway(app, mounted)


@dataclass
class Load:
    """What clients did and were told, each sending its next request when the one before is answered."""

    gateway: RunningGateway
    person: Person
    mandate_id: MandateId
    answers: list[tuple[float, float, int]] = field(default_factory=list)
    """When each was answered, how long it took, and the status."""
    acknowledged: set[str] = field(default_factory=set)
    without_retry_after: int = 0
    _numbers: Iterator[int] = field(default_factory=count)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        writers = [asyncio.create_task(self._repeat("POST")) for _ in range(_WRITERS)]
        readers = [asyncio.create_task(self._repeat("GET")) for _ in range(_READERS)]
        try:
            yield
        finally:
            for client in (*writers, *readers):
                client.cancel()
            await asyncio.gather(*writers, *readers, return_exceptions=True)

    async def once(self, client: httpx.AsyncClient, method: str) -> int:
        """One request; it notes what it was told."""
        name = f"group {next(self._numbers)}"
        began = monotonic()
        answer = await client.request(method, "/api/v1/groups", json={"name": name} if method == "POST" else None)
        self.answers.append((monotonic(), monotonic() - began, answer.status_code))
        if answer.status_code == 201:
            self.acknowledged.add(name)
        if answer.status_code == 503 and int(answer.headers.get("retry-after", 0)) < 1:
            self.without_retry_after += 1
        return answer.status_code

    async def _repeat(self, method: str) -> None:
        async with self.gateway.client(self.person, self.mandate_id) as client:
            while True:
                if await self.once(client, method) == 503:
                    await asyncio.sleep(0.05)

    async def until(self, status: int, *, times: int) -> None:
        """Return when so many of the latest answers have this status (or are another success)."""
        begin = len(self.answers)
        async with asyncio.timeout(_PATIENCE):
            while True:
                latest = self.answers[begin:][-times:]
                if len(latest) == times and all(_like(told, status) for _, _, told in latest):
                    return
                await asyncio.sleep(0.02)

    def statuses(self) -> set[int]:
        return {status for _, _, status in self.answers}

    def slowest(self) -> float:
        return max(seconds for _, seconds, _ in self.answers)

    async def stored(self) -> set[str]:
        rows = await self.gateway.sql("SELECT name FROM groups WHERE mandate_id = :id", id=self.mandate_id)
        return {row["name"] for row in rows}


def _like(told: int, wanted: int) -> bool:
    return told == wanted or (told < 300 and wanted < 300)


@pytest.fixture
async def load(gateway: RunningGateway) -> Load:
    person, mandate_id = await gateway.person(), await gateway.mandate("busy")
    await gateway.join(person, mandate_id, "administrator")
    return Load(gateway, person, mandate_id)


def postmaster(gateway: RunningGateway) -> int:
    data = embedded_directory(gateway.gateway.settings) / "cluster"
    return int((data / "postmaster.pid").read_text().partition("\n")[0])


def processes(gateway: RunningGateway) -> list[int]:
    """All of the server's: each has the cluster as its working directory."""
    data = (embedded_directory(gateway.gateway.settings) / "cluster").resolve()
    return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdecimal() and _works_in(each, data)]


def _works_in(process: Path, directory: Path) -> bool:
    try:
        return (process / "cwd").readlink() == directory
    except OSError:
        return False


def send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, number)


def connections_lent(gateway: RunningGateway) -> int:
    pools = [engine.sync_engine.pool for engine in (gateway.database.app_engine, gateway.database.system_engine)]
    return sum(pool.checkedout() for pool in pools if isinstance(pool, QueuePool))


async def assert_whole(load: Load) -> None:
    """Every connection is there again: more requests at once than any pool has are all answered well."""
    async with load.gateway.client(load.person, load.mandate_id) as client:
        told = await asyncio.gather(*(load.once(client, method) for method in ("POST", "GET") * 20))
    assert {201, 200} == set(told)
    assert connections_lent(load.gateway) == 0
    prepared = load.gateway.services.get(Authorisation).connections
    assert (prepared.idle, prepared.waiting) == (prepared.size, 0)


class TestAKilledServer:
    async def test_is_survived_without_losing_anything(self, load: Load) -> None:
        async with load.running():
            await load.until(200, times=40)
            os.kill(postmaster(load.gateway), signal.SIGKILL)
            await load.until(503, times=1)
            await load.until(200, times=60)
            os.kill(postmaster(load.gateway), signal.SIGKILL)
            await load.until(503, times=1)
            await load.until(200, times=60)
        assert load.statuses() == {200, 201, 503}
        assert load.without_retry_after == 0
        assert load.slowest() < _LONGEST_ANSWER
        assert load.acknowledged - await load.stored() == set()
        await assert_whole(load)


class TestAServerThatDoesNotAnswer:
    async def test_is_waited_for_no_longer_than_a_request_may_take(self, load: Load) -> None:
        async with load.running():
            await load.until(200, times=40)
            stopped = processes(load.gateway)
            send(stopped, signal.SIGSTOP)
            try:
                await load.until(503, times=12)
                await asyncio.sleep(3)
            finally:
                send(stopped, signal.SIGCONT)
            await load.until(200, times=60)
        assert load.statuses() == {200, 201, 503}
        assert load.without_retry_after == 0
        assert load.slowest() < _LONGEST_ANSWER
        assert load.acknowledged - await load.stored() == set()
        await assert_whole(load)
