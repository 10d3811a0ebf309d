"""The real application on a fresh database, and people, mandates and roles to try it with.

People are written straight into the database and given a real access token: signing in is tested where it belongs,
everything else starts signed in and fast.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from fastapi import FastAPI
import httpx
from sqlalchemy import CursorResult, text

from gateway.app import Gateway
from gateway.settings import Settings
from modules.auth.signed_tokens import AccessTokenClaims, SignedTokens
from modules.shared import clock, guards, services
from modules.shared.database import Database
from modules.shared.grants import rights_may_change
from modules.shared.ids import InstanceId, MandateId, RoleId, SessionId, TokenId, UserId, new_id
from modules.shared.services import Services
from tests.support.postgres import DatabaseUrls

BASE_URL = "http://127.0.0.1:8000"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody signed in."""

    id: UserId
    email: str
    session_id: SessionId
    token: str


class RunningGateway:
    """The application, running, with direct access to what stands behind it."""

    def __init__(self, app: FastAPI, gateway: Gateway) -> None:
        self.app = app
        self.gateway = gateway
        self.authorizer = getattr(app.state, guards.STATE)
        self.services: Services = getattr(app.state, services.STATE)
        self.database: Database = self.services.get(Database)

    def client(
        self,
        person: Person | None = None,
        mandate_id: MandateId | None = None,
        instance_id: InstanceId | None = None,
        **headers: str,
    ) -> httpx.AsyncClient:
        """A client that speaks as `person` in a mandate and instance (bearer token, so no CSRF headers are needed)."""
        chosen = dict(headers)
        if person is not None:
            chosen["Authorization"] = f"Bearer {person.token}"
        if mandate_id is not None:
            chosen["X-Mandate-Id"] = str(mandate_id)
        if instance_id is not None:
            chosen["X-Instance-Id"] = str(instance_id)
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=BASE_URL, headers=chosen)

    async def sql(self, statement: str, **parameters: object) -> list[Mapping[str, Any]]:
        """Run one statement as mandate_system; the rows, if it has any."""
        async with self.database.system_session() as session:
            with rights_may_change(session, "a test prepares the scene"):
                result = await session.execute(text(statement), parameters)
            return [dict(row) for row in result.mappings()] if cast("CursorResult[Any]", result).returns_rows else []

    async def root(self) -> MandateId:
        """The root mandate."""
        return MandateId((await self.sql("SELECT root_mandate_id AS id FROM installation"))[0]["id"])

    async def person(self, email: str | None = None, *, sysadmin: bool = False, state: str = "active") -> Person:
        """A person with a session opened just now by password."""
        user_id = UserId(new_id())
        address = email or f"{user_id}@example.test"
        await self.sql(
            "INSERT INTO users (id, slug, email, display_name, state, is_sysadmin)"
            " VALUES (:id, :slug, :email, :name, :state, :flag)",
            id=user_id,
            slug=f"u-{user_id.hex[-8:]}",
            email=address,
            name=address.partition("@")[0],
            state=state,
            flag=sysadmin,
        )
        return await self.sign_in(user_id, address)

    async def sign_in(self, user_id: UserId, email: str, *, lifetime: timedelta = timedelta(minutes=10)) -> Person:
        """Another session of a person."""
        session_id, token_id, now = SessionId(new_id()), TokenId(new_id()), clock.now()
        await self.sql(
            "INSERT INTO sessions (id, user_id, authority, amr, authenticated_at, created_at, last_seen_at,"
            " idle_expires_at, expires_at, rotated_at)"
            " VALUES (:id, :user, 'local', '{pwd}', :now, :now, :now, :until, :until, :now)",
            id=session_id,
            user=user_id,
            now=now,
            until=now + timedelta(days=1),
        )
        await self.sql(
            "INSERT INTO access_tokens (id, session_id, user_id, authority, generation, issued_at, expires_at)"
            " VALUES (:id, :session, :user, 'local', 1, :now, :until)",
            id=token_id,
            session=session_id,
            user=user_id,
            now=now,
            until=now + lifetime,
        )
        ver = (await self.sql("SELECT ver FROM users WHERE id = :id", id=user_id))[0]["ver"]
        issued = int(now.timestamp())
        claims = AccessTokenClaims(
            user_id, session_id, token_id, issued, issued + int(lifetime.total_seconds()), issued, ("pwd",), ver
        )
        return Person(user_id, email, session_id, self.services.get(SignedTokens).issue(claims))

    async def mandate(self, slug: str, name: str | None = None) -> MandateId:
        """A mandate with its own role `everyone`."""
        mandate_id = MandateId(new_id())
        await self.sql(
            "INSERT INTO mandates (id, slug, name) VALUES (:id, :slug, :name)",
            id=mandate_id,
            slug=slug,
            name=name or slug,
        )
        await self.sql(
            "INSERT INTO roles (id, mandate_id, scope, key, name, version)"
            " VALUES (:id, :mandate, 'mandate', 'everyone', 'everyone', gen_random_uuid())",
            id=new_id(),
            mandate=mandate_id,
        )
        return mandate_id

    async def join(self, person: Person, mandate_id: MandateId, *role_keys: str) -> UUID:
        """Make `person` a member with these built-in roles; answers the membership's id."""
        membership_id = new_id()
        await self.sql(
            "INSERT INTO memberships (id, mandate_id, user_id) VALUES (:id, :mandate, :user)",
            id=membership_id,
            mandate=mandate_id,
            user=person.id,
        )
        for key in role_keys:
            await self.give(membership_id, mandate_id, await self.role(key))
        return membership_id

    async def give(self, membership_id: UUID, mandate_id: MandateId, role_id: RoleId) -> None:
        """Give a role to a membership."""
        await self.sql(
            "INSERT INTO role_assignments (id, mandate_id, membership_id, role_id, role_mandate_id, role_scope)"
            " SELECT :id, :mandate, :membership, r.id, r.mandate_id, r.scope FROM roles r WHERE r.id = :role",
            id=new_id(),
            mandate=mandate_id,
            membership=membership_id,
            role=role_id,
        )

    async def role(self, key: str) -> RoleId:
        """A built-in role: a global one, or `sysadmin` of the root mandate."""
        rows = await self.sql(
            "SELECT r.id FROM roles r JOIN installation i ON i.root_mandate_id = r.mandate_id"
            " WHERE r.key = :key ORDER BY r.scope",
            key=key,
        )
        return RoleId(rows[0]["id"])

    async def instance(self, mandate_id: MandateId, feature: str, name: str = "first") -> InstanceId:
        """A feature instance."""
        instance_id = InstanceId(new_id())
        await self.sql(
            "INSERT INTO feature_instances (id, mandate_id, feature, name) VALUES (:id, :mandate, :feature, :name)",
            id=instance_id,
            mandate=mandate_id,
            feature=feature,
            name=name,
        )
        return instance_id


def settings_for(urls: DatabaseUrls, directory: Path, **overrides: str) -> Settings:
    """Settings of a gateway on these databases; `overrides` are `section__key="value"`."""
    chosen = {
        "installation.data_directory": str(directory),
        "database.url": urls.app,
        "database.owner_url": urls.owner,
        "database.auth_url": urls.auth,
        "database.system_url": urls.system,
        "database.authorisation_connections": "2",
        "jobs.in_process": "no",
        "logging.level": "WARNING",
        "rate_limits.default": "100000/minute",
        "mandates.dns_resolver": "127.0.0.1:9",  # nobody answers there (RFC 863): no test asks the world's servers
        "mandates.dns_timeout": "300ms",
        **{name.replace("__", "."): value for name, value in overrides.items()},
    }
    return Settings.load(None, environment={}, overrides=chosen)


@asynccontextmanager
async def running_gateway(
    urls: DatabaseUrls, directory: Path, *, app: FastAPI | None = None, gateway: Gateway | None = None, **overrides: str
) -> AsyncIterator[RunningGateway]:
    """The application on these databases; a host's own `app` may be given, with the `gateway` to mount on it."""
    served = app or FastAPI(title="Mandate Gateway", docs_url=None, redoc_url=None)
    mounted = gateway or Gateway(settings_for(urls, directory, **overrides))
    if not hasattr(served.state, "mounted_in_test"):
        mounted.mount(served)
        served.state.mounted_in_test = True
    async with served.router.lifespan_context(served):
        yield RunningGateway(served, mounted)


__all__ = ["Person", "RunningGateway", "running_gateway", "settings_for"]
