"""`mandate worker`: a process that works on jobs and serves nobody."""

import asyncio

from gateway.commands.installation import database_ready, without_jobs
from gateway.settings import Settings
from gateway.wiring import running, worker
from modules.shared.logging import configure_logging


def run_worker(settings: Settings) -> None:
    """Work until SIGTERM or Ctrl+C; running jobs get `[jobs] shutdown_timeout` to finish."""
    configure_logging(settings.logging)
    asyncio.run(_work(settings))


async def _work(settings: Settings) -> None:
    async with database_ready(settings) as urls:
        gateway = without_jobs(settings, urls)
        async with running(gateway, urls) as installation:
            await worker(gateway, urls, installation.database, installation.services).run_until_signalled()
