"""The application: what `Gateway.mount` adds to a FastAPI app, and `create_app`, which mounts it on an empty one.

Tests, demo and production are assembled here and nowhere else.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from functools import cache
import gc
import os
from pathlib import Path
from typing import Any, Self

from fastapi import APIRouter, Depends, FastAPI
from starlette.routing import BaseRoute

from gateway.console.routes import console_router, front_door_router
from gateway.embedded_database import database_of
from gateway.features import ITEMS, ROUTERS
from gateway.http.documentation import documentation_router
from gateway.http.edge_policy import LOOPBACK_HOSTS, EdgePolicy
from gateway.http.error_catalogue import catalogue_router
from gateway.http.error_handlers import install as install_error_handlers
from gateway.http.health import Readiness, health_router
from gateway.http.metrics import HttpMetrics, metrics_router
from gateway.http.middleware import Edge
from gateway.http.openapi import complete as complete_openapi
from gateway.http.problems import Problems
from gateway.http.route_guards import guards_of
from gateway.http.single_user import refuse_ways_in
from gateway.settings import Settings
from gateway.system.metrics import InstallationMetrics
from gateway.version import VERSION
from gateway.wiring import note_refusal, running
from modules.auth.endpoints import well_known
from modules.auth.service.local_user import LocalUserService
from modules.shared import guards, services
from modules.shared.catalogue import CRUD, Action, InvalidDeclaration, Item, ItemCatalogue, ItemKind, Reach
from modules.shared.client_address import TrustedProxies
from modules.shared.database import DatabaseUrls
from modules.shared.i18n import Text
from modules.shared.logging import configure_where_nobody_did
from modules.shared.rate_limits import RouteLimits

API = "/api/v1"
OWN_PREFIXES = (f"{API}/", "/health/", "/metrics", "/.well-known/", "/docs", "/openapi.json", "/errors/", "/console/")
_OUR_PACKAGES = frozenset({"gateway", "modules"})


class Gateway:
    """One installation, to be mounted on one application.

    `urls` is the database of a process that holds the embedded server for this one; otherwise the settings say.
    """

    def __init__(self, settings: Settings, urls: DatabaseUrls | None = None) -> None:
        self.settings = settings
        self._urls = urls
        self.catalogue = ItemCatalogue(ITEMS)
        self.readiness = Readiness()
        self.metrics = HttpMetrics(VERSION)
        self.installation_metrics = InstallationMetrics(self.metrics.registry)
        self._mounted = False

    @classmethod
    def from_config(cls, path: str | Path = "config.ini") -> Self:
        """Read `path`, then the environment. Raises SettingsError for anything unknown or wrong, naming it."""
        file = Path(path)
        return cls(Settings.load(file if file.exists() else None, environment=os.environ, overrides={}))

    def declare_item(
        self,
        path: str,
        *,
        label: Mapping[str, str],
        kind: ItemKind = ItemKind.DATA,
        reach: Reach = Reach.MANDATE,
        actions: Iterable[Action] | None = None,
        fields: Iterable[str] = (),
    ) -> Item:
        """Declare something of the host's; `label` has `en` and `de`. Raises InvalidDeclaration."""
        default = frozenset({Action.VIEW}) if kind is ItemKind.UI else CRUD
        chosen = default if actions is None else frozenset(actions)
        return self.catalogue.declare(Item(path, kind, reach, Text(**label), chosen, frozenset(fields)))

    def mount(self, app: FastAPI) -> None:
        """Add our routes, error answers, middleware and lifespan to `app`. Once, before it starts."""
        if self._mounted:
            raise RuntimeError("this gateway is mounted already; one Gateway serves one application")
        self._mounted = True
        configure_where_nobody_did()
        http, single_user = self.settings.http, self.settings.auth.mode == "single"
        policy = EdgePolicy(
            public_url=http.public_url,
            allowed_hosts=(*http.allowed_hosts, *(LOOPBACK_HOSTS if single_user else ())),
            allowed_origins=tuple(http.allowed_origins),
            trusted_proxies=tuple(str(network) for network in http.trusted_proxies),
            max_body_bytes=http.max_body_size,
            request_seconds=http.request_timeout.total_seconds(),
            single_user=single_user,
            local_only=single_user and not self.settings.auth.single_user_on_network,
            # the documentation page of a host stays the host's
            own_prefixes=tuple(prefix for prefix in OWN_PREFIXES if prefix != app.docs_url),
        )
        problems = Problems(http.public_url, self.metrics.refused)
        limits = RouteLimits(self.settings.rate_limits.default, TrustedProxies(policy.trusted_proxies))
        install_error_handlers(app, problems, policy.owns, limits, note_refusal)
        app.add_middleware(
            Edge,
            policy=policy,
            problems=problems,
            metrics=self.metrics,
            route_limits=limits if self.settings.rate_limits.enabled else None,
            on_refusal=note_refusal,
        )
        self._add_routes(app)
        self._add_lifespan(app)

    def _add_routes(self, app: FastAPI) -> None:
        single_user = self.settings.auth.mode == "single"
        app.router.routes.extend(_routes_of_the_features(single_user=single_user))
        app.include_router(well_known.router)
        app.include_router(health_router(self.readiness))
        if self.settings.metrics.enabled:
            app.include_router(metrics_router(self.metrics, self.settings.metrics.token.get_secret_value() or None))
        app.include_router(catalogue_router())
        app.include_router(console_router(self.settings.installation.name))
        if self.settings.http.docs and app.docs_url is None:
            app.include_router(documentation_router(app))
        complete_openapi(app)

    def _add_lifespan(self, app: FastAPI) -> None:
        inner = app.router.lifespan_context

        @asynccontextmanager
        async def lifespan(application: FastAPI) -> AsyncIterator[Any]:
            async with self.started(application), inner(application) as state:
                yield state

        app.router.lifespan_context = lifespan

    @asynccontextmanager
    async def started(self, app: FastAPI) -> AsyncIterator[None]:
        """Run what stands behind the routes for as long as the block runs.

        Raises InvalidDeclaration for a route of ours without exactly one guard, and for a guard that names what nobody
        declared; WrongMode when the database is in another mode than the settings.
        """
        refuse_unguarded(app)
        database = nullcontext(self._urls) if self._urls else database_of(self.settings)
        async with database as urls, running(self, urls) as installation:
            await installation.services.get(LocalUserService).begin()
            for requirement in required_by(app):
                installation.authorizer.settle(requirement)
            setattr(app.state, guards.STATE, installation.authorizer)
            setattr(app.state, services.STATE, installation.services)
            try:
                with out_of_the_collectors_way():
                    yield
            finally:
                self.readiness.drain()


@contextmanager
def out_of_the_collectors_way() -> Iterator[None]:
    """Spare the garbage collector everything that stands when the server starts: modules, routes, models, settings.

    None of it ends before the process does, yet every full collection would walk through all of it again: a tenth of
    an authorised request's processor time.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@cache
def _routes_of_the_features(*, single_user: bool) -> tuple[BaseRoute, ...]:
    """The routes under `/api/v1`. FastAPI takes seconds to make so many of them, and they are the same for every
    application of a process.
    """
    api = APIRouter(dependencies=[Depends(refuse_ways_in)] if single_user else None)
    for router in ROUTERS:
        api.include_router(router, prefix=API)
    return tuple(api.routes)


def create_app(settings: Settings) -> FastAPI:
    """The gateway as an application of its own."""
    return stand_alone(Gateway(settings))


def stand_alone(gateway: Gateway) -> FastAPI:
    """`gateway` mounted on an empty application."""
    app = FastAPI(title="Mandate Gateway", version=VERSION, docs_url=None, redoc_url=None)
    gateway.mount(app)
    app.include_router(front_door_router())
    return app


def required_by(app: FastAPI) -> set[guards.Requirement]:
    """Every requirement the routes of `app` name."""
    return {
        guard for _, route_guards in guards_of(app) for guard in route_guards if isinstance(guard, guards.Requirement)
    }


def refuse_unguarded(app: FastAPI) -> None:
    """Raise InvalidDeclaration for a route of ours without exactly one guard. A host's routes are its own to guard."""
    for route, route_guards in guards_of(app):
        if route.endpoint.__module__.partition(".")[0] in _OUR_PACKAGES and len(route_guards) != 1:
            named = " and ".join(guard.describe() for guard in route_guards) or "none"
            raise InvalidDeclaration(f"a route names exactly one guard; {route.path_format} names {named}")


__all__ = ["Gateway", "InvalidDeclaration", "create_app", "refuse_unguarded", "required_by", "stand_alone"]
