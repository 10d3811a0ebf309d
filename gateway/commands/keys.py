"""`mandate rotate-key`: other keys from now on."""

import asyncio

import typer

from gateway.commands.installation import installation_of
from gateway.settings import Settings
from modules.auth.service.key_rotation import PUBLISHED_FOR, KeyRotation


def rotate(settings: Settings, *, compromised: bool) -> None:
    """Begin a rotation, which the jobs complete; compromised keys are retired at once. Raises RotationUnderWay."""
    asyncio.run(_rotate(settings, compromised=compromised))
    if compromised:
        typer.echo("New keys sign. The old ones are retired and every session is ended.")
    else:
        seconds = f"{PUBLISHED_FOR.total_seconds():.0f} seconds"
        typer.echo(f"New keys are published. They sign in {seconds}, once a running server's or worker's job says so.")


async def _rotate(settings: Settings, *, compromised: bool) -> None:
    async with installation_of(settings) as installation:
        await installation.services.get(KeyRotation).rotate(None, compromised=compromised)
