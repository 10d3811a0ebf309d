"""`mandate serve`: the address is taken first, then the database is made ready, then one or more processes serve.

Standard output belongs to the log; what a person should read goes to standard error.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
import os
import socket
from tempfile import TemporaryDirectory

from fastapi import FastAPI
import structlog
import typer

from gateway.app import Gateway, stand_alone
from gateway.commands.installation import database_ready, without_jobs
from gateway.commands.refusals import Refused
from gateway.commands.reloading import serve_reloading
from gateway.commands.server_process import Plan, new_loop, serve
from gateway.commands.server_processes import ServerProcesses
from gateway.settings import Settings
from gateway.version import VERSION
from gateway.wiring import running
from modules.auth.service.accounts import AccountService
from modules.auth.service.local_user import LocalUserService
from modules.shared.database import DatabaseUrls
from modules.shared.logging import configure_logging

_log = structlog.get_logger(__name__)
_BACKLOG = 2048
_THIS_MACHINE = "Single-user mode: every program and person on this machine is the local user."
_EVERYBODY = "Single-user mode on the network: EVERYBODY WHO CAN CONNECT administers this installation."


async def greet(settings: Settings, urls: DatabaseUrls) -> None:
    """Say where the server is, and how the first account proves itself. What cannot start says so here, in words."""
    async with running(without_jobs(settings, urls), urls) as installation:
        await installation.services.get(LocalUserService).begin()
        code = await installation.services.get(AccountService).new_set_up_code()
    announce(f"{settings.installation.name} {VERSION} serves {settings.http.public_url}")
    if settings.auth.mode == "single":
        announce(_EVERYBODY if settings.auth.single_user_on_network else _THIS_MACHINE)
    if code:
        announce(f"The first account, which administers the installation, needs this set-up code: {code}")


Preparation = Callable[[Settings, DatabaseUrls], Coroutine[None, None, None]]


def run_server(
    settings: Settings,
    *,
    build: Callable[[Gateway], FastAPI] = stand_alone,
    prepare: Preparation = greet,
    reload: bool = False,
) -> None:
    """Serve until told to stop. `build` makes the application around the gateway; it is a function of a module.

    Raises Refused, EmbeddedPostgresError, DatabaseAway, WrongLevel, or MasterKeyExposed.
    """
    configure_logging(settings.logging)
    with ExitStack() as stack, asyncio.Runner(loop_factory=new_loop) as runner:
        sockets = [stack.enter_context(each) for each in _listen(settings.http.host, settings.http.port)]
        runner.run(_run(settings, build, prepare, sockets, reload=reload))


async def _run(
    settings: Settings,
    build: Callable[[Gateway], FastAPI],
    prepare: Preparation,
    sockets: list[socket.socket],
    *,
    reload: bool,
) -> None:
    async with database_ready(settings) as urls:
        await prepare(settings, urls)
        plan = Plan(settings, urls, build)
        if reload:
            await serve_reloading(plan, sockets)
        elif settings.http.workers > 1:
            await _run_several(plan, sockets)
        else:
            await serve(plan, sockets)


async def _run_several(plan: Plan, sockets: list[socket.socket]) -> None:
    limits = plan.settings.rate_limits
    if limits.enabled and limits.storage.get_secret_value().startswith("memory:"):
        _log.warning("rate_limits_per_process", workers=plan.settings.http.workers, remedy="[rate_limits] storage")
    with TemporaryDirectory(prefix="mandate-metrics-") as metrics:
        # prometheus-client looks for this when the started processes import it
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics  # allowed: environment: its only way to be told
        await ServerProcesses(plan, sockets, plan.settings.http.workers).run()


def announce(line: str) -> None:
    """Tell the person who started this."""
    typer.echo(line, err=True)


def _listen(host: str, port: int) -> list[socket.socket]:
    """Sockets on every address `host` stands for. Raises Refused when one is taken."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise Refused(f"[http] host: {host} is no address of this machine ({error})") from error
    opened: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            opened.append(_socket(family, address))
    except OSError as error:
        for each in opened:
            each.close()
        raise Refused(f"cannot listen on {host}, port {port}: {error.strerror}") from error
    return opened


def _socket(family: socket.AddressFamily, address: tuple[object, ...]) -> socket.socket:
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening
