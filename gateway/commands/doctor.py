"""`mandate doctor`: everything the gateway stands on, looked at from outside; one line per finding, with its remedy.

It changes nothing, except that an embedded database is started (and, as always then, migrated) to be looked at.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
import os
from pathlib import Path
import shutil
import stat
from typing import Any

import asyncpg
import typer

from gateway import migrations
from gateway.commands.installation import load_settings, require_answer
from gateway.commands.refusals import DatabaseAway
from gateway.embedded_database import database_of
from gateway.settings import Settings
from modules.shared.database import DatabaseUrls
from modules.shared.embedded_postgres import EmbeddedPostgresError
from modules.shared.mail import MailUnavailable, SmtpMail
from modules.shared.settings import MailSettings, SettingsError

_OLDEST_POSTGRES = 15
_LARGEST_CLOCK_DIFFERENCE = 5.0
"""Seconds; tokens are judged with the same leeway."""
_LEAST_DISK = 1_000_000_000

_UNPROTECTED = """
    SELECT c.relnamespace::regnamespace::text || '.' || c.relname
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'mandate_id' AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
      AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
    ORDER BY 1
"""
_OWN_LOGIN = """
    SELECT rolname, rolsuper OR rolbypassrls AS passes,
        EXISTS (SELECT FROM pg_auth_members WHERE member = pg_roles.oid) AS becomes
    FROM pg_roles WHERE rolname = current_user
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    good: bool
    text: str

    def __str__(self) -> str:
        return f"{'ok ' if self.good else 'BAD'}  {self.text}"


def examine(config: Path | None) -> bool:
    """Look at everything and say what was found; whether all of it is right."""
    try:
        settings = load_settings(config)
    except SettingsError as error:
        return _tell([Finding(False, problem) for problem in error.problems])
    findings = [Finding(True, "the settings are right"), _disk(settings), _master_key(settings)]
    return _tell([*findings, *asyncio.run(_ask(settings))])


def _tell(findings: Sequence[Finding]) -> bool:
    for finding in findings:
        typer.echo(str(finding))
    return all(finding.good for finding in findings)


def _disk(settings: Settings) -> Finding:
    directory = settings.installation.data_directory.absolute()
    existing = next(place for place in (directory, *directory.parents) if place.exists())
    free = shutil.disk_usage(existing).free
    remedy = "" if free >= _LEAST_DISK else "; make room, a full disk stops the database"
    return Finding(free >= _LEAST_DISK, f"{free / 1e9:.1f} GB are free for {directory}{remedy}")


def _master_key(settings: Settings) -> Finding:
    file = settings.installation.master_key_file
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
    except FileNotFoundError:
        return Finding(True, f"the master key file {file} will be made at the first start")
    except OSError as error:
        return Finding(False, f"the master key file {file} cannot be looked at: {error.strerror}")
    private = not mode & (stat.S_IRWXG | stat.S_IRWXO)
    remedy = "" if private else f"; chmod 600 {file}"
    return Finding(private, f"the master key file {file} has mode {mode:04o}{remedy}")


async def _ask(settings: Settings) -> list[Finding]:
    findings = [finding async for finding in _database(settings)]
    return [*findings, await _mail(settings.mail)]


async def _database(settings: Settings) -> AsyncIterator[Finding]:
    try:
        async with database_of(settings) as urls:
            for login in ("auth", "app", "system"):
                await require_answer(getattr(urls, login))
            yield Finding(True, "the database answers every login")
            for look in (_version, _level, _protection, _clock):
                yield await look(urls)
            for url in (urls.auth, urls.app, urls.system, *([urls.owner] if urls.owner else [])):
                yield await _login(url)
    except (EmbeddedPostgresError, DatabaseAway) as error:
        yield Finding(False, str(error))


async def _value(url: str, question: str) -> Any:  # noqa: ANN401  # PostgreSQL decides the type
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def _version(urls: DatabaseUrls) -> Finding:
    version = int(await _value(urls.system, "SHOW server_version_num")) // 10_000
    remedy = "" if version >= _OLDEST_POSTGRES else f"; {_OLDEST_POSTGRES} is the oldest that works"
    return Finding(version >= _OLDEST_POSTGRES, f"PostgreSQL {version}{remedy}")


async def _level(urls: DatabaseUrls) -> Finding:
    current, expected = await migrations.current_level(urls.system), migrations.expected_level()
    remedy = "" if current == expected else f"; this version needs {expected}: mandate migrate"
    return Finding(current == expected, f"the database is at level {current or 'none'}{remedy}")


async def _protection(urls: DatabaseUrls) -> Finding:
    connection = await asyncpg.connect(urls.system)
    try:
        names = [row[0] for row in await connection.fetch(_UNPROTECTED)]
    finally:
        await connection.close()
    if names:
        return Finding(False, f"row-level security is off on {', '.join(names)}: SELECT mandate_protect('<table>')")
    return Finding(True, "row-level security is on for every table with mandate_id")


async def _clock(urls: DatabaseUrls) -> Finding:
    before = datetime.now(UTC)
    there = await _value(urls.system, "SELECT clock_timestamp()")
    middle = before + (datetime.now(UTC) - before) / 2
    difference = abs((there - middle).total_seconds())
    good = difference <= _LARGEST_CLOCK_DIFFERENCE
    remedy = "" if good else "; set both by the same time server"
    return Finding(good, f"the clocks here and at the database differ by {difference:.1f} s{remedy}")


async def _login(url: str) -> Finding:
    connection = await asyncpg.connect(url)
    try:
        (login,) = await connection.fetch(_OWN_LOGIN)
    finally:
        await connection.close()
    name = login["rolname"]
    if login["passes"]:
        return Finding(False, f"{name} passes by row-level security: ALTER ROLE {name} NOSUPERUSER NOBYPASSRLS")
    if login["becomes"]:
        return Finding(False, f"{name} is a member of another role and can become it: revoke that")
    return Finding(True, f"{name} is bound by row-level security")


async def _mail(settings: MailSettings) -> Finding:
    if settings.backend == "file":
        directory = settings.directory.absolute()
        existing = next(place for place in (directory, *directory.parents) if place.exists())
        good = os.access(existing, os.W_OK | os.X_OK)
        return Finding(good, f"mails go to files in {directory}{'' if good else ', which cannot be written'}")
    try:
        await SmtpMail(settings).check()
    except MailUnavailable as error:
        return Finding(False, f"the mail server {settings.host} refuses: {error.fields['reason']}")
    return Finding(True, f"the mail server {settings.host} takes mails")
