"""Accounts from the command line: the first sysadmin, and a way back in for somebody who lost theirs."""

import asyncio
from pathlib import Path
import sys

from pydantic import TypeAdapter, ValidationError
import typer

from gateway.commands.installation import installation_of
from gateway.commands.refusals import Refused
from gateway.settings import Settings
from modules.auth.service.accounts import AccountService
from modules.auth.service.factor_administration import FactorAdministration
from modules.auth.service.local_user import LocalUserService
from modules.auth.service.password import PasswordService
from modules.shared.email_address import EmailAddress


def create_admin(settings: Settings, email: str, password: str) -> None:
    """Make a verified sysadmin. Raises Refused, EmailTaken or WeakPassword."""
    asyncio.run(_create_admin(settings, _address(email), password))
    typer.echo(f"{email} is sysadmin and can sign in at {settings.http.public_url}.")


def reset_password(settings: Settings, email: str, password: str) -> None:
    """Replace the password and end all sessions. Raises Refused, UserNotFound or WeakPassword."""
    asyncio.run(_reset_password(settings, _address(email), password))
    typer.echo(f"{email} has a new password; all sessions of the account are ended.")


def remove_factors(settings: Settings, email: str) -> None:
    """Remove the second factors of an account. Raises Refused or UserNotFound."""
    asyncio.run(_remove_factors(settings, _address(email)))
    typer.echo(f"{email} has no second factor any more and signs in with the password alone.")


def upgrade_to_multi(settings: Settings, email: str | None, password_file: Path | None) -> None:
    """End single-user mode for good. Raises Refused, NotInSingleUserMode or WeakPassword."""
    if email is None and not sys.stdin.isatty():
        raise Refused("there is nobody to ask for the mail address: name it, mandate upgrade-to-multi <address>")
    address = _address(email or str(typer.prompt("Mail address")))
    asyncio.run(_upgrade_to_multi(settings, address, new_password(password_file)))
    typer.echo(f"{address} now owns what the local user had, and signs in with the password. There is no way back.")
    if settings.auth.mode == "single":
        typer.echo("Set [auth] mode = multi before the next start; a server that still runs answers nobody.")


def new_password(file: Path | None) -> str:
    """The password from a file, from standard input (`-`), or typed twice. Raises Refused when there is none."""
    if file is None:
        if not sys.stdin.isatty():
            raise Refused("there is nobody to ask for the password: name a file with --password-file, or - for a pipe")
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    try:
        text = sys.stdin.read() if file == Path("-") else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{file}: the password cannot be read") from error
    password = text.partition("\n")[0].removesuffix("\r")
    if not password:
        raise Refused(f"{file}: the first line is empty; it should be the password")
    return password


async def _create_admin(settings: Settings, email: str, password: str) -> None:
    async with installation_of(settings) as installation:
        await installation.services.get(AccountService).create_sysadmin(email, password)


async def _reset_password(settings: Settings, email: str, password: str) -> None:
    async with installation_of(settings) as installation:
        await installation.services.get(PasswordService).replace_as_operator(email, password)


async def _remove_factors(settings: Settings, email: str) -> None:
    async with installation_of(settings) as installation:
        await installation.services.get(FactorAdministration).remove_as_operator(email)


async def _upgrade_to_multi(settings: Settings, email: str, password: str) -> None:
    async with installation_of(settings) as installation:
        await installation.services.get(LocalUserService).upgrade(email, password)


def _address(email: str) -> str:
    try:
        address: str = TypeAdapter(EmailAddress).validate_python(email)
    except ValidationError as error:
        raise Refused(f"{email!r} is no mail address") from error
    return address
