"""`mandate`: the commands of an installation, their options and how they end.

A command loads what it needs when it runs, so that `mandate --help` is instant. Secrets are asked for, read from a file
or from standard input; the command line, which every process of the machine can see, takes none.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from gateway.settings import Settings


class Commands(TyperGroup):
    """Ends a refused command with its sentence and its exit code instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401  # as the base class says
        """Run the command named on the command line."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.TyperException):
            raise
        except Exception as error:
            from gateway.commands.refusals import explain

            refusal = explain(error)
            if refusal is None:
                raise
            code, sentence = refusal
            typer.echo(f"mandate: {sentence}", err=True)
            raise typer.Exit(code) from error


_SETTINGS: dict[str, Any] = {
    "no_args_is_help": True,
    "add_completion": False,
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
}
app = typer.Typer(cls=Commands, help="Sign-in, tenants and rules for FastAPI.", **_SETTINGS)
config_app = typer.Typer(help="Settings: what is in force, what is wrong, a file to begin with.", **_SETTINGS)
app.add_typer(config_app, name="config")

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", envvar="MANDATE_CONFIG", show_envvar=True, help="config.ini; by default the one here."),
]
PasswordFile = Annotated[
    Path | None, typer.Option(help="The file whose first line is the password; - is standard input. Else it is asked.")
]

LocalUsersAddress = Annotated[
    str | None, typer.Argument(help="The mail address the local user signs in with. Else it is asked.")
]


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and end.", is_eager=True)] = False,
) -> None:
    """Sign-in, tenants and rules for FastAPI."""
    if version:
        from gateway.version import VERSION

        typer.echo(f"mandate {VERSION}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


@app.command()
def serve(
    config: ConfigFile = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on.")] = None,
    workers: Annotated[int | None, typer.Option(help="Server processes.")] = None,
    reload: Annotated[bool, typer.Option("--reload", help="Start again when a Python file here changes.")] = False,
) -> None:
    """Serve until SIGTERM or Ctrl+C. An embedded database is started and migrated; another must be at its level."""
    from gateway.commands.installation import load_settings
    from gateway.commands.serving import run_server

    given = {"http.host": host, "http.port": _text(port), "http.workers": _text(workers)}
    run_server(load_settings(config, given), reload=reload)


@app.command()
def worker(config: ConfigFile = None) -> None:
    """Work on jobs until SIGTERM or Ctrl+C, beside servers with [jobs] in_process = no."""
    from gateway.commands.installation import load_settings
    from gateway.commands.working import run_worker

    run_worker(load_settings(config))


@app.command()
def migrate(
    config: ConfigFile = None,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; end with 1 when not at the level.")] = False,
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL instead of running it.")] = False,
    logins_sql: Annotated[bool, typer.Option("--logins-sql", help="Print the SQL that makes the logins.")] = False,
) -> None:
    """Bring the database to the level of this version. Waits for another migration that is under way."""
    from gateway.commands import database

    if logins_sql:
        typer.echo(database.logins_sql(), nl=False)
    elif sql:
        typer.echo(database.migration_sql(), nl=False)
    elif check:
        _end(good=database.is_current(_load(config)))
    else:
        database.migrate(_load(config))


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="The port to listen on, on this machine only.")] = 8000,
    data: Annotated[Path, typer.Option(help="Where the demo keeps its database, mails and passwords.")] = Path("data"),
) -> None:
    """Serve two mandates, five people and an example feature on a database of their own, for this machine only."""
    from gateway.commands.demo import run_demo

    run_demo(port, data)


@app.command()
def create_admin(email: str, config: ConfigFile = None, password_file: PasswordFile = None) -> None:
    """Make a verified account that is sysadmin, by flag and by role."""
    from gateway.commands import accounts

    accounts.create_admin(_load(config), email, accounts.new_password(password_file))


@app.command()
def reset_password(email: str, config: ConfigFile = None, password_file: PasswordFile = None) -> None:
    """Give an account another password and end all its sessions."""
    from gateway.commands import accounts

    accounts.reset_password(_load(config), email, accounts.new_password(password_file))


@app.command()
def remove_factors(email: str, config: ConfigFile = None) -> None:
    """Remove the passkeys, the authenticator app and the backup codes of an account that lost them."""
    from gateway.commands import accounts

    accounts.remove_factors(_load(config), email)


@app.command()
def upgrade_to_multi(
    email: LocalUsersAddress = None, config: ConfigFile = None, password_file: PasswordFile = None
) -> None:
    """End single-user mode for good: the local user gets an address and a password, and keeps everything."""
    from gateway.commands import accounts

    accounts.upgrade_to_multi(_load(config), email, password_file)


@app.command()
def doctor(config: ConfigFile = None) -> None:
    """Look at everything the gateway stands on; end with 1 when something is wrong."""
    from gateway.commands.doctor import examine

    _end(good=examine(config))


@app.command()
def rotate_key(
    config: ConfigFile = None,
    compromised: Annotated[
        bool, typer.Option("--compromised", help="Retire the old keys at once and end every session.")
    ] = False,
) -> None:
    """Sign with new keys. The old ones go on verifying what they signed, unless they are compromised."""
    from gateway.commands.keys import rotate

    rotate(_load(config), compromised=compromised)


@app.command()
def openapi(config: ConfigFile = None) -> None:
    """Print the OpenAPI document."""
    from gateway.commands.documents import openapi_document

    typer.echo(openapi_document(_load(config)))


@config_app.command("show")
def show_config(config: ConfigFile = None) -> None:
    """Every setting in force with its source; secrets are masked."""
    from gateway.settings import show

    typer.echo(show(_load(config)), nl=False)


@config_app.command("validate")
def validate_config(config: ConfigFile = None) -> None:
    """Say what is wrong with the settings; end with 3 if anything is."""
    _load(config)
    typer.echo("The settings are right.")


@config_app.command("init")
def init_config(
    path: Annotated[Path, typer.Argument(help="The file to write; it must not exist.")] = Path("config.ini"),
) -> None:
    """Write a complete, commented config.ini that changes nothing until edited."""
    from gateway.commands.documents import write_initial_config

    write_initial_config(path)
    typer.echo(f"{path} is written.")


def _load(config: Path | None) -> "Settings":
    from gateway.commands.installation import load_settings

    return load_settings(config)


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


def _end(*, good: bool) -> None:
    if not good:
        raise typer.Exit(1)
