"""The application: a FastAPI app like any other, with the gateway mounted and two permissible things declared."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from fastapi import FastAPI
from starlette.responses import RedirectResponse

from examples.invoices import invoice_routes, petty_cash_routes
from gateway import Gateway, Reach, public

_FOLDER = Path(__file__).parent


def create_app(gateway: Gateway) -> FastAPI:
    """The application around a gateway."""
    app = FastAPI(title="Invoices", docs_url=None, redoc_url=None)
    gateway.mount(app)
    gateway.declare_item("invoices", label={"en": "Invoices", "de": "Rechnungen"}, fields=["margin"])
    gateway.declare_item("petty-cash", label={"en": "Petty cash", "de": "Handkasse"}, reach=Reach.INSTANCE)
    app.include_router(invoice_routes.router)
    app.include_router(petty_cash_routes.router)

    @app.get("/", include_in_schema=False, dependencies=[public("leads to the console")])
    async def enter() -> RedirectResponse:
        """The example has no pages of its own: the console shows its rows."""
        return RedirectResponse("/console/")

    return app


async def prepare(owner_url: str) -> None:
    """Bring this application's tables to their level, after the gateway's own."""
    await asyncio.to_thread(migrate, owner_url)


def migrate(owner_url: str) -> None:
    """Run this application's migrations, as the login that owns the schema."""
    configuration = Config()
    configuration.set_main_option("script_location", str(_FOLDER / "migrations"))
    configuration.attributes["owner_url"] = owner_url
    command.upgrade(configuration, "head")


def sample_rows() -> str:
    """SQL with rows for the people of `mandate demo`."""
    return (_FOLDER / "sample_rows.sql").read_text(encoding="utf-8")
