"""One PostgreSQL cluster on this machine: make it, launch its server, ask whether it answers, halt it.

The truth is what `pg_isready` hears from the socket, never what `postmaster.pid` claims. Whoever makes, launches or
halts holds the lock that keeps two of them apart (`embedded_postgres.py`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
import shlex
import shutil
import time

from modules.shared.postgres_program import Account, EmbeddedPostgresError

SUPERUSER = "postgres"
_PATIENCE_SECONDS = 120
_ORPHANS_END_SECONDS = 10
_PROCESSES = Path("/proc")


class Answer(IntEnum):
    """The exit status of `pg_isready`; the server rejects while it starts, recovers or stops."""

    ACCEPTS = 0
    REJECTS = 1
    SILENT = 2
    NOT_ASKED = 3


@dataclass(frozen=True, slots=True)
class PostgresCluster:
    """`directory` holds `cluster/` (PostgreSQL's data), the log and the socket; `account` owns all of it."""

    directory: Path
    account: Account
    binaries: Path
    settings: Mapping[str, str]

    @property
    def data(self) -> Path:
        return self.directory / "cluster"

    def initialise(self) -> None:
        """Make the cluster. It gets its name only when complete: an interrupted attempt is thrown away by the next."""
        unfinished = self.directory / "cluster.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        self._run(
            "initdb",
            f"--pgdata={unfinished}",
            f"--username={SUPERUSER}",
            "--auth-local=trust",  # the directory of the socket is open to this account only
            "--auth-host=reject",
            "--encoding=UTF8",
            *self._locale(),
            "--data-checksums",
            *(["--no-sync"] if self.settings.get("fsync") == "off" else []),
        )
        unfinished.rename(self.data)

    def _locale(self) -> list[str]:
        if self._major_version() >= 17:  # has a locale of its own, with the same order on every platform
            return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        return ["--locale=C.UTF-8"]

    def refuse_other_major_version(self) -> None:
        """Raise EmbeddedPostgresError when these binaries cannot read the cluster."""
        cluster, program = int((self.data / "PG_VERSION").read_text()), self._major_version()
        if cluster != program:
            raise EmbeddedPostgresError(
                f"{self.data} was made by PostgreSQL {cluster}, which PostgreSQL {program} cannot read: "
                "dump it with the release that made it, and restore into a new data directory"
            )

    def _major_version(self) -> int:
        return int(self._run("postgres", "--version").split("(PostgreSQL) ")[1].partition(".")[0])

    def answer(self) -> Answer:
        return Answer(self.account.run(self.binaries / "pg_isready", "-h", self.directory, "-d", SUPERUSER).returncode)

    def launch(self) -> bool:
        """Return when the server accepts connections: True if it had to be started. Raises EmbeddedPostgresError."""
        if self._settled_answer() is Answer.ACCEPTS:
            return False
        deadline = time.monotonic() + (_ORPHANS_END_SECONDS if self._recorded_postmaster() else 0)
        while not self._try_launch(last=time.monotonic() >= deadline):
            time.sleep(0.1)
        return True

    def _settled_answer(self) -> Answer:
        """Wait while the server is between two states: whoever was starting or stopping it may have been killed."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while (answer := self.answer()) is Answer.REJECTS and time.monotonic() < deadline:
            time.sleep(0.1)
        return answer

    def _try_launch(self, *, last: bool) -> bool:
        """After a killed postmaster the launch fails until the last of its processes has ended, a moment later."""
        self._remove_misleading_pid_file()
        try:
            self._pg_ctl("start", f"--log={self.directory / 'postgres.log'}", f"--options={self._options()}")
        except EmbeddedPostgresError:
            if last:
                raise
            return False
        return True

    def _options(self) -> str:
        """The settings for `pg_ctl`, which hands them to a shell; given so, they overrule the cluster's own files."""
        settings = {"unix_socket_directories": f'"{self.directory}"', **self.settings}
        return " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items())

    def halt(self) -> None:
        """End the server, closing its connections; does nothing when none answers."""
        if self.answer() <= Answer.REJECTS:
            self._pg_ctl("stop", "--mode=fast")

    def _pg_ctl(self, action: str, *options: str) -> None:
        self._run("pg_ctl", action, f"--pgdata={self.data}", "--wait", f"--timeout={_PATIENCE_SECONDS}", *options)

    def _run(self, program: str, *arguments: str) -> str:
        try:
            result = self.account.run(self.binaries / program, *arguments)
        except OSError as refusal:
            command = self.binaries / program
            raise EmbeddedPostgresError(f"{self.account.name} cannot run {command}: {refusal.strerror}") from refusal
        if result.returncode:
            said = "\n".join([result.stdout, result.stderr, *self._last_of_log()]).strip()
            raise EmbeddedPostgresError(f"{program} of the embedded PostgreSQL in {self.directory} failed:\n{said}")
        return result.stdout

    def _last_of_log(self) -> list[str]:
        log = self.directory / "postgres.log"
        return log.read_text(errors="replace").splitlines()[-10:] if log.exists() else []

    def _remove_misleading_pid_file(self) -> None:
        """PostgreSQL refuses to start while any process has the recorded pid: a zombie, or a stranger after a reboot.

        Only when no process works in the cluster any more. Where there is no /proc, PostgreSQL's own check has to do.
        """
        if self._recorded_postmaster() and _PROCESSES.is_dir() and not any(self._processes()):
            (self.data / "postmaster.pid").unlink()

    def _recorded_postmaster(self) -> int | None:
        try:
            return int((self.data / "postmaster.pid").read_text().partition("\n")[0])
        except (FileNotFoundError, ValueError):
            return None

    def _processes(self) -> Iterator[int]:
        """The server's processes: each has the cluster as its working directory, and a zombie has none."""
        cluster = self.data.resolve()
        for process in _PROCESSES.iterdir():
            try:
                if process.name.isdecimal() and (process / "cwd").readlink() == cluster:
                    yield int(process.name)
            except OSError:  # ended meanwhile, or another account's
                continue
