"""A PostgreSQL of our own: started by its first user, shared by the next, stopped by the last.

Nothing is remembered in a file that a crash could turn into a lie. Who starts the server and who uses it are locks of
the kernel (`flock`), which end with their process even on `kill -9`. The server listens on a unix socket in the data
directory and nowhere else, and that directory is open to one account only: reaching the socket is the authentication.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from modules.shared.postgres_cluster import SUPERUSER, Answer, PostgresCluster
from modules.shared.postgres_program import Account, EmbeddedPostgresError, binaries_for

__all__ = ["SUPERUSER", "EmbeddedPostgres", "EmbeddedPostgresError"]

_LONGEST_PATH = 90  # the path of a unix socket has at most 103 bytes on macOS, and PostgreSQL adds its file name
_AWKWARD = frozenset('"$`\\,\n')  # a comma separates hosts; the others mean something where pg_ctl quotes the path
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "log",  # refused statements are the application's to log: their text may hold personal data
    "log_checkpoints": "off",
}
_WITHOUT_DURABILITY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY
_OURS = {"cluster", "cluster.unfinished", "program.unfinished"}


class EmbeddedPostgres:
    """The server whose data is below `directory`; any number of processes may use it at the same time.

    `binaries` is the `bin` of another PostgreSQL than the wheel's. `durable=False` is for tests: a power cut loses the
    data. `settings` add to and override ours; those of the process that starts the server hold. Everything here
    blocks: call it from a thread when an event loop runs.
    """

    def __init__(
        self,
        directory: Path,
        *,
        binaries: Path | None = None,
        durable: bool = True,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._directory = directory.absolute()
        self._binaries = binaries
        self._settings = {**_SETTINGS, **({} if durable else _WITHOUT_DURABILITY), **(settings or {})}
        self._cluster: PostgresCluster | None = None
        self._use: int | None = None
        _refuse_unfit_path(self._directory)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def url(self, database: str, user: str = SUPERUSER) -> str:
        """A libpq connection URL; no password, because only this account (and root) can reach the socket."""
        host = quote(str(self._directory), safe="")
        return f"postgresql://{quote(user, safe='')}@/{quote(database, safe='')}?host={host}"

    def start(self) -> None:
        """Become a user of the server, starting it unless it runs; returns when it accepts connections.

        Raises EmbeddedPostgresError, which says what to do.
        """
        with self._exclusively() as cluster:
            if cluster.data.exists():
                cluster.refuse_other_major_version()
            else:
                cluster.initialise()
            cluster.launch()
            if self._use is None:
                self._use = os.open(cluster.data, _DIRECTORY | os.O_NOFOLLOW)
                fcntl.flock(self._use, fcntl.LOCK_SH)

    def ensure_running(self) -> bool:
        """Start the server again if it was killed; says whether that was needed. Raises EmbeddedPostgresError.

        Does nothing after `stop()`: a watch in another thread may come in late, and must not leave a server behind.
        """
        with self._exclusively() as cluster:
            return self._use is not None and cluster.launch()

    def is_ready(self) -> bool:
        """Whether the server accepts connections now; False before `start()`."""
        return self._cluster is not None and self._cluster.answer() is Answer.ACCEPTS

    def stop(self) -> None:
        """Cease to use the server; it ends with its last user. Also ends one that was left alone by killed users."""
        if not (self._directory / "cluster").exists():
            return
        with self._exclusively() as cluster:
            if self._leave_as_last(cluster):
                cluster.halt()

    def _leave_as_last(self, cluster: PostgresCluster) -> bool:
        """Give up our use; nobody can join meanwhile, because joining takes the exclusive lock we hold."""
        use = os.open(cluster.data, _DIRECTORY | os.O_NOFOLLOW) if self._use is None else self._use
        self._use = None
        try:
            fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            return False
        finally:
            _release(use)

    @contextmanager
    def _exclusively(self) -> Iterator[PostgresCluster]:
        """Hold the lock of whoever starts or stops the server: on the directory itself, not on a file."""
        lock = self._open()
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._cluster is None:
                self._cluster = self._take_possession(lock)
            yield self._cluster
        finally:
            _release(lock)

    def _open(self) -> int:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self._directory, _DIRECTORY)
        except OSError as refusal:
            raise EmbeddedPostgresError(f"this user cannot use {self._directory}: {refusal.strerror}") from refusal

    def _take_possession(self, directory: int) -> PostgresCluster:
        """Close the directory to everybody but the server's account, after making sure that it is meant to be ours."""
        content = set(os.listdir(directory))
        if content and not content & _OURS:
            raise EmbeddedPostgresError(f"{self._directory} holds something else: name a new or empty data directory")
        account = Account.for_directory(os.fstat(directory))
        account.refuse_closed_parents(self._directory)
        if account.assumed:
            os.fchown(directory, account.uid, account.gid)
        os.fchmod(directory, 0o700)
        return PostgresCluster(
            self._directory,
            account,
            self._binaries or binaries_for(account, self._directory),
            self._settings,
        )


def _refuse_unfit_path(directory: Path) -> None:
    """Refuse early, and in words, what PostgreSQL or its clients would trip over."""
    if len(os.fsencode(directory)) > _LONGEST_PATH:
        raise EmbeddedPostgresError(
            f"the path {directory} of the data directory is longer than {_LONGEST_PATH} characters, "
            "too long for a unix socket: choose a shorter one, or reach it through a symbolic link"
        )
    if awkward := _AWKWARD & set(str(directory)):
        raise EmbeddedPostgresError(
            f"the path {directory} of the data directory holds {' '.join(sorted(awkward))}, "
            "which PostgreSQL's programs misread: choose one without"
        )


def _release(lock: int) -> None:
    """Unlock before closing: a copy of the descriptor in a forked child would keep the lock."""
    fcntl.flock(lock, fcntl.LOCK_UN)
    os.close(lock)
