"""`mandate demo`: two mandates, five people and the example application, on a database of their own.

Nothing of it is for others: it listens on this machine only, writes mails into files, and everybody has the same
password, made for this installation and printed at each start. Starting it again changes nothing.
"""

from importlib import import_module
from importlib.util import find_spec
import os
from pathlib import Path
import secrets
from typing import Protocol, cast

from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.app import Gateway, stand_alone
from gateway.commands.demo_people import PEOPLE
from gateway.commands.installation import without_jobs
from gateway.commands.refusals import Refused
from gateway.commands.serving import announce, run_server
from gateway.settings import Settings
from gateway.wiring import Installation, running
from modules.auth.passwords import Passwords
from modules.auth.service.accounts import AccountService, NewAccount
from modules.shared.database import DatabaseUrls

_EXAMPLE = "examples.invoices.application"
_DEMO_SQL = Path(__file__).with_name("demo.sql")


class ExampleApplication(Protocol):
    """What the example offers to whoever serves it."""

    def create_app(self, gateway: Gateway) -> FastAPI:
        """The application, with the gateway mounted."""
        ...

    async def prepare(self, owner_url: str) -> None:
        """Bring the example's own tables to their level."""
        ...

    def sample_rows(self) -> str:
        """SQL that adds rows for the people of the demo."""
        ...


def run_demo(port: int, data: Path) -> None:
    """Serve the demo until told to stop. Raises Refused when `data` holds an installation of somebody's."""
    run_server(demo_settings(port, data), build=build_demo, prepare=prepare_demo)


def demo_settings(port: int, data: Path) -> Settings:
    """The demo's settings; neither config.ini nor the environment has a say in them."""
    overrides = {
        "installation.data_directory": str(data),
        "installation.name": "Mandate demo",
        "http.port": str(port),
        "logging.format": "console",
        "logging.level": "WARNING",
    }
    return Settings.load(None, environment={}, overrides=overrides)


def build_demo(gateway: Gateway) -> FastAPI:
    """The example application where it is at hand (it is not part of what is installed), else the gateway alone."""
    example = _example()
    return example.create_app(gateway) if example else stand_alone(gateway)


async def prepare_demo(settings: Settings, urls: DatabaseUrls) -> None:
    """Fill an empty installation, and say how to sign in."""
    password = _password(settings.installation.data_directory / "demo-password")
    example = _example()
    if example:
        await example.prepare(urls.owner)
    async with running(without_jobs(settings, urls), urls) as installation:
        await _fill(installation, password, example.sample_rows() if example else "")
    _invite(settings, password)


async def _fill(installation: Installation, password: str, sample_rows: str) -> None:
    accounts, passwords = installation.services.get(AccountService), installation.services.get(Passwords)
    async with installation.database.system_session() as session:
        if await _is_filled(session):
            return
        for person in PEOPLE:
            account = NewAccount(person.email, await passwords.hash(password), person.name, person.language)
            await accounts.open(session, account, set_up_code=None, by=None)
        await _run_script(session, _DEMO_SQL.read_text(encoding="utf-8") + sample_rows)


async def _is_filled(session: AsyncSession) -> bool:
    if await session.scalar(text("SELECT true FROM mandates WHERE slug = 'alpine'")):
        return True
    if await session.scalar(text("SELECT true FROM users LIMIT 1")):
        raise Refused("this data directory holds an installation of its own; give the demo another: --data <directory>")
    return False


async def _run_script(session: AsyncSession, script: str) -> None:
    """Run a script of many statements in the session's transaction, which a prepared statement cannot."""
    raw = await (await session.connection()).get_raw_connection()
    await raw.driver_connection.execute(script)  # type: ignore[union-attr]  # asyncpg's own


def _password(file: Path) -> str:
    """The password kept in `file`; made at the first start, and whole or not there at all."""
    if not file.exists():
        draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as made:
                made.write(secrets.token_urlsafe(12))
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
    return file.read_text(encoding="ascii").strip()


def _invite(settings: Settings, password: str) -> None:
    width = max(len(person.email) for person in PEOPLE)
    announce(f"\nOpen {settings.http.public_url} and sign in, password {password}\n")
    for person in PEOPLE:
        announce(f"  {person.email:<{width}}  {person.part}")
    announce(f"\nMails are files in {settings.mail.directory}. Ctrl+C ends the demo; the next start goes on from here.")


def _example() -> ExampleApplication | None:
    """A folder called `examples` may be somebody else's."""
    try:
        found = find_spec(_EXAMPLE)
    except ModuleNotFoundError:
        return None
    return cast("ExampleApplication", import_module(_EXAMPLE)) if found else None
