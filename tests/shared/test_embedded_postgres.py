"""The starter of the embedded PostgreSQL, with real servers, real kills and real accounts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
import os
from pathlib import Path
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time

import psycopg
import pytest

from modules.shared import postgres_program
from modules.shared.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from tests.support.postgres import DISK, new_directory, remove_server, server_in

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can step down to another account")
ORDINARY_USER = "nobody"


class OtherProcess:
    """Another process that uses the server in `directory`, until told to end or killed."""

    def __init__(self, directory: Path, *account: str) -> None:
        command = [sys.executable, "-m", "tests.support.postgres_user", str(directory), *account]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def await_ready(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def end(self) -> int:
        if self._process.stdin and not self._process.stdin.closed:
            self._process.communicate()
        return self._process.returncode


@pytest.fixture
def directory() -> Iterator[Path]:
    directory = new_directory()
    yield directory
    remove_server(directory)


@pytest.fixture
def other_process() -> Iterator[Callable[..., OtherProcess]]:
    started: list[OtherProcess] = []

    def start(directory: Path, *account: str) -> OtherProcess:
        started.append(OtherProcess(directory, *account))
        return started[-1]

    yield start
    for process in started:
        process.end()


@pytest.fixture
def server(directory: Path) -> Iterator[EmbeddedPostgres]:
    with server_in(directory) as server:
        yield server


def postmaster(directory: Path) -> int:
    return int((directory / "cluster" / "postmaster.pid").read_text().split()[0])


def ask(server: EmbeddedPostgres, question: str) -> object:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        row = connection.execute(question.encode()).fetchone()
        return row[0] if row else None


def execute(server: EmbeddedPostgres, statement: str) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(statement.encode())


@contextmanager
def busy_connection(server: EmbeddedPostgres) -> Iterator[None]:
    """A session in the middle of a statement, which does not notice at once that its postmaster is gone."""

    def sleep(connection: psycopg.Connection) -> None:
        with suppress(psycopg.OperationalError):
            connection.execute("SELECT pg_sleep(2)")

    connection = psycopg.connect(server.url("postgres"))
    thread = threading.Thread(target=sleep, args=[connection])
    thread.start()
    time.sleep(0.1)
    yield
    thread.join()
    connection.close()


class TestStart:
    def test_accepts_connections_at_its_url(self, server: EmbeddedPostgres) -> None:
        assert ask(server, "SELECT current_user") == "postgres"

    def test_is_ready(self, server: EmbeddedPostgres) -> None:
        assert server.is_ready()

    def test_opens_no_port(self, server: EmbeddedPostgres) -> None:
        assert ask(server, "SHOW listen_addresses") == ""

    def test_closes_the_directory_to_other_accounts(self, directory: Path) -> None:
        directory.chmod(0o755)
        with server_in(directory):
            assert stat.S_IMODE(directory.stat().st_mode) == 0o700

    def test_creates_the_directory(self, directory: Path) -> None:
        directory.chmod(0o755)
        with server_in(directory / "data" / "postgres") as server:
            assert ask(server, "SELECT 1") == 1

    @pytest.mark.parametrize("name", ["it's a space", "per%cent?host=x&y#z;@+", "Zürich"])
    def test_takes_a_directory_of_unusual_name(self, directory: Path, name: str) -> None:
        directory.chmod(0o755)
        with server_in(directory / name) as server:
            assert ask(server, "SELECT 1") == 1

    def test_takes_a_path_of_90_characters(self, directory: Path) -> None:
        directory.chmod(0o755)
        longest = directory / ("d" * (89 - len(str(directory))))
        with server_in(longest) as server:
            assert (len(str(longest)), ask(server, "SELECT 1")) == (90, 1)

    def test_refuses_a_longer_path(self, directory: Path) -> None:
        with pytest.raises(EmbeddedPostgresError, match="longer than 90 characters"):
            EmbeddedPostgres(directory / ("d" * (90 - len(str(directory)))))

    @pytest.mark.parametrize("character", [",", '"', "$", "`", "\\", "\n"])
    def test_refuses_a_path_that_would_be_misread(self, directory: Path, character: str) -> None:
        with pytest.raises(EmbeddedPostgresError, match="misread"):
            EmbeddedPostgres(directory / f"a{character}b")

    def test_refuses_a_directory_that_holds_something_else(self, directory: Path) -> None:
        (directory / "letters").mkdir()
        with pytest.raises(EmbeddedPostgresError, match="something else"):
            server_in(directory).start()

    def test_refuses_the_cluster_of_another_major_version(self, directory: Path) -> None:
        with server_in(directory):
            pass
        (directory / "cluster" / "PG_VERSION").write_text("14\n")
        with pytest.raises(EmbeddedPostgresError, match=r"made by PostgreSQL 14.*restore"):
            server_in(directory).start()

    def test_begins_anew_after_an_interrupted_initialisation(self, directory: Path) -> None:
        (directory / "cluster.unfinished" / "base").mkdir(parents=True)
        with server_in(directory) as server:
            assert ask(server, "SELECT 1") == 1

    def test_shows_what_the_server_said_when_it_fails(self, directory: Path) -> None:
        with pytest.raises(EmbeddedPostgresError, match="invalid value for parameter"):
            EmbeddedPostgres(directory, durable=False, settings={"max_connections": "plenty"}).start()

    def test_does_not_listen_to_variables_meant_for_another_server(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PGPORT", "1")
        monkeypatch.setenv("PGDATA", "/nowhere")
        with server_in(directory) as server:
            assert server.is_ready()

    @pytest.mark.parametrize(("durable", "fsync"), [(True, "on"), (False, "off")])
    def test_is_durable_unless_told_otherwise(self, directory: Path, durable: bool, fsync: str) -> None:
        with EmbeddedPostgres(directory, durable=durable) as server:
            assert ask(server, "SHOW fsync") == fsync

    def test_orders_and_folds_letters_of_every_language(self, server: EmbeddedPostgres) -> None:
        assert ask(server, "SELECT lower('ÄÖÜŁ')") == "äöüł"


class TestStartTogether:
    def test_two_at_once_share_one_server(self, directory: Path, other_process: Callable[..., OtherProcess]) -> None:
        first, second = other_process(directory), other_process(directory)
        first.await_ready()
        pid = postmaster(directory)
        second.await_ready()
        assert postmaster(directory) == pid
        assert (first.end(), second.end()) == (0, 0)

    def test_the_first_to_stop_leaves_it_to_the_second(
        self, directory: Path, server: EmbeddedPostgres, other_process: Callable[..., OtherProcess]
    ) -> None:
        second = other_process(directory)
        second.await_ready()
        server.stop()
        assert server.is_ready()

    def test_the_last_to_stop_ends_it(
        self, directory: Path, server: EmbeddedPostgres, other_process: Callable[..., OtherProcess]
    ) -> None:
        second = other_process(directory)
        second.await_ready()
        server.stop()
        second.end()
        assert not server.is_ready()


class TestStartAfterKill:
    def test_takes_over_the_server_of_a_killed_owner(
        self, directory: Path, other_process: Callable[..., OtherProcess]
    ) -> None:
        owner = other_process(directory)
        owner.await_ready()
        pid = postmaster(directory)
        owner.kill()
        with server_in(directory):
            assert postmaster(directory) == pid

    def test_ends_the_server_of_a_killed_owner_as_its_last_user(
        self, directory: Path, other_process: Callable[..., OtherProcess]
    ) -> None:
        owner = other_process(directory)
        owner.await_ready()
        owner.kill()
        with server_in(directory) as server:
            pass
        assert not server.is_ready()

    def test_recovers_what_was_committed_before_all_were_killed(
        self, directory: Path, other_process: Callable[..., OtherProcess]
    ) -> None:
        owner = other_process(directory)
        owner.await_ready()
        execute(server_in(directory), "CREATE TABLE kept AS SELECT 7 AS value")
        os.kill(postmaster(directory), signal.SIGKILL)
        owner.kill()
        with server_in(directory) as server:
            assert ask(server, "SELECT value FROM kept") == 7

    def test_is_not_misled_by_a_stranger_with_the_old_pid(self, directory: Path) -> None:
        with server_in(directory):
            recorded = (directory / "cluster" / "postmaster.pid").read_text()
        stranger = subprocess.Popen(["sleep", "60"], user=directory.stat().st_uid)
        try:
            lines = [str(stranger.pid), *recorded.splitlines()[1:]]
            (directory / "cluster" / "postmaster.pid").write_text("\n".join(lines) + "\n")
            with server_in(directory) as server:
                assert ask(server, "SELECT 1") == 1
        finally:
            stranger.kill()
            stranger.wait()


class TestEnsureRunning:
    def test_leaves_a_running_server_alone(self, server: EmbeddedPostgres) -> None:
        assert server.ensure_running() is False

    def test_starts_a_killed_server_again(self, directory: Path, server: EmbeddedPostgres) -> None:
        os.kill(postmaster(directory), signal.SIGKILL)
        assert server.ensure_running() is True
        assert ask(server, "SELECT 1") == 1

    def test_waits_for_the_sessions_of_the_killed_server(self, directory: Path, server: EmbeddedPostgres) -> None:
        with busy_connection(server):
            os.kill(postmaster(directory), signal.SIGKILL)
            assert server.ensure_running() is True
            assert ask(server, "SELECT 1") == 1

    def test_starts_nothing_after_the_stop(self, server: EmbeddedPostgres) -> None:
        server.stop()
        assert server.ensure_running() is False
        assert not server.is_ready()

    def test_a_killed_server_is_not_ready(self, directory: Path, server: EmbeddedPostgres) -> None:
        os.kill(postmaster(directory), signal.SIGKILL)
        assert not server.is_ready()


class TestStop:
    def test_ends_the_server(self, server: EmbeddedPostgres) -> None:
        server.stop()
        assert not server.is_ready()

    def test_may_be_repeated(self, server: EmbeddedPostgres) -> None:
        server.stop()
        server.stop()
        assert not server.is_ready()

    def test_makes_no_directory(self, directory: Path) -> None:
        server_in(directory / "never").stop()
        assert not (directory / "never").exists()

    def test_does_not_wait_for_a_killed_server(self, directory: Path, server: EmbeddedPostgres) -> None:
        os.kill(postmaster(directory), signal.SIGKILL)
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 5

    def test_may_be_followed_by_a_start(self, server: EmbeddedPostgres) -> None:
        server.stop()
        server.start()
        assert ask(server, "SELECT 1") == 1


@AS_ROOT
class TestAsRoot:
    def test_steps_down_to_an_unprivileged_account(self, directory: Path) -> None:
        with server_in(directory):
            assert Path(f"/proc/{postmaster(directory)}").stat().st_uid != 0

    def test_everything_below_the_directory_belongs_to_that_account(self, directory: Path) -> None:
        with server_in(directory):
            owners = {(path.lstat().st_uid, path.lstat().st_gid) for path in [directory, *directory.rglob("*")]}
            process = Path(f"/proc/{postmaster(directory)}").stat()
            assert owners == {(process.st_uid, process.st_gid)}

    def test_refuses_a_directory_below_one_closed_to_that_account(self, directory: Path) -> None:
        with pytest.raises(EmbeddedPostgresError, match=f"`chmod o\\+x {directory}`"):
            server_in(directory / "data").start()

    @pytest.fixture
    def directory_on_disk(self) -> Iterator[Path]:
        """Programs in it can run, which a folder in memory may forbid."""
        directory = new_directory(DISK)
        yield directory
        remove_server(directory)

    def test_copies_the_binaries_when_that_account_cannot_reach_them(
        self, directory_on_disk: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        closed = tmp_path / "closed"
        for part in postgres_program._PARTS:
            original = postgres_program._wheel_location() / part
            if original.exists():
                shutil.copytree(original, closed / part)
        closed.chmod(0o700)
        monkeypatch.setattr(postgres_program, "_wheel_location", lambda: closed)
        with EmbeddedPostgres(directory_on_disk, durable=False):
            program = Path(f"/proc/{postmaster(directory_on_disk)}/exe").resolve()
            assert program.is_relative_to(directory_on_disk)

    def test_says_that_given_binaries_cannot_be_reached(self, directory: Path, tmp_path: Path) -> None:
        tmp_path.chmod(0o700)
        (tmp_path / "postgres").symlink_to("/bin/true")
        with pytest.raises(EmbeddedPostgresError, match=r"cannot run .*postgres: Permission denied"):
            EmbeddedPostgres(directory, binaries=tmp_path).start()


@AS_ROOT
class TestAsOrdinaryUser:
    @pytest.fixture
    def users_directory(self, directory: Path) -> Path:
        shutil.chown(directory, ORDINARY_USER)
        return directory

    def test_runs_the_server_as_that_user(
        self, users_directory: Path, other_process: Callable[..., OtherProcess]
    ) -> None:
        other_process(users_directory, ORDINARY_USER).await_ready()
        process, account = Path(f"/proc/{postmaster(users_directory)}").stat(), pwd.getpwnam(ORDINARY_USER)
        assert (process.st_uid, process.st_gid) == (account.pw_uid, account.pw_gid)

    def test_shares_its_server_with_root(
        self, users_directory: Path, other_process: Callable[..., OtherProcess]
    ) -> None:
        other_process(users_directory, ORDINARY_USER).await_ready()
        pid = postmaster(users_directory)
        with server_in(users_directory):
            assert postmaster(users_directory) == pid

    def test_joins_the_server_that_root_started_in_its_directory(
        self, users_directory: Path, other_process: Callable[..., OtherProcess]
    ) -> None:
        with server_in(users_directory):
            pid = postmaster(users_directory)
            other_process(users_directory, ORDINARY_USER).await_ready()
            assert postmaster(users_directory) == pid

    def test_is_refused_the_directory_of_another(
        self, directory: Path, other_process: Callable[..., OtherProcess]
    ) -> None:
        directory.chmod(0o755)
        assert other_process(directory, ORDINARY_USER).end() == 1
