"""A small installation for tests of rights: a mandate with people of every kind, a foreign one, and the operator's."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.app import Gateway
from modules.mandates.service.promises import PromisesToNewcomers
from modules.rbac.service.grant_guard import RbacGrantGuard
from modules.shared.database import Tenant
from modules.shared.ids import InstanceId, MandateId
from modules.shared.jobs import JobContext, Task, TaskRegistry
from tests.support.gateway import Person, RunningGateway, running_gateway, settings_for
from tests.support.postgres import DatabaseUrls

Rule = Mapping[str, object]


@dataclass
class House:
    """The mandate `acme` with an administrator and a member; `other` with a stranger; and a sysadmin with flag and role
    in the root mandate.
    """

    gateway: RunningGateway
    mandate: MandateId
    foreign: MandateId
    root: MandateId
    administrator: Person
    member: Person
    stranger: Person
    sysadmin: Person
    memberships: dict[Person, UUID]

    async def call(
        self,
        person: Person,
        method: str,
        path: str,
        *,
        json: object = None,
        mandate: MandateId | None = None,
        instance: InstanceId | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """One request in the person's own mandate, or in the one named."""
        home = self.foreign if person is self.stranger else self.mandate
        async with self.gateway.client(person, mandate or home, instance) as client:
            return await client.request(method, f"/api/v1{path}", json=json, headers=headers)

    async def as_sysadmin(self, method: str, path: str, *, json: object = None) -> httpx.Response:
        """One request of the sysadmin without a mandate."""
        async with self.gateway.client(self.sysadmin) as client:
            return await client.request(method, f"/api/v1{path}", json=json)

    async def new_role(self, name: str, *rules: Rule, by: Person | None = None) -> dict[str, Any]:
        """A role of the mandate with these rules."""
        person = by or self.administrator
        created = await self.call(person, "POST", "/roles", json={"name": name})
        assert created.status_code == 201, created.text
        role: dict[str, Any] = created.json()
        if rules:
            answer = await self.call(person, "PUT", f"/roles/{role['id']}/rules", json={"rules": rules})
            assert answer.status_code == 200, answer.text
        return role

    async def person_with(self, *rules: Rule) -> Person:
        """A member who holds one role with these rules."""
        person = await self.gateway.person()
        membership = await self.gateway.join(person, self.mandate)
        role = await self.new_role(f"of {person.id}", *rules)
        await self.gateway.give(membership, self.mandate, role["id"])
        self.memberships[person] = membership
        return person

    async def may(self, person: Person, item: str, action: str, instance: InstanceId | None = None) -> str:
        """The level the person has, by `POST /rbac/check`."""
        checks = [{"item": item, "action": action}]
        answer = await self.call(person, "POST", "/rbac/check", json={"checks": checks}, instance=instance)
        assert answer.status_code == 200, answer.text
        level: str = answer.json()["results"][0]["level"]
        return level

    async def events(self, code: str) -> list[Mapping[str, Any]]:
        """The audit events of this code, in their order."""
        return await self.gateway.sql("SELECT * FROM audit_events WHERE code = :code ORDER BY id", code=code)

    async def perform(self, task: Task, **arguments: object) -> None:
        """Perform a system task at once, as the worker would."""
        services = self.gateway.services
        job = JobContext(1, 1, None, None, True, self.gateway.database, services, TaskRegistry())
        await task.handler(job, **arguments)


@asynccontextmanager
async def house_in(urls: DatabaseUrls, directory: Path, **settings: str) -> AsyncIterator[House]:
    """The installation, running."""
    async with running_gateway(urls, directory, gateway=Gateway(settings_for(urls, directory, **settings))) as gateway:
        mandate, foreign, root = await gateway.mandate("acme"), await gateway.mandate("other"), await gateway.root()
        administrator, member, stranger = [await gateway.person() for _ in range(3)]
        sysadmin = await gateway.person(sysadmin=True)
        memberships = {
            administrator: await gateway.join(administrator, mandate, "administrator"),
            member: await gateway.join(member, mandate, "member"),
            stranger: await gateway.join(stranger, foreign, "administrator"),
            sysadmin: await gateway.join(sysadmin, root, "sysadmin"),
        }
        yield House(gateway, mandate, foreign, root, administrator, member, stranger, sysadmin, memberships)


@asynccontextmanager
async def changing(house: House, actor: Person, mandate: MandateId | None = None) -> AsyncIterator[AsyncSession]:
    """One change of rights by `actor`, guarded as in a request."""
    where = mandate or house.mandate
    guard = RbacGrantGuard(house.gateway.database, house.gateway.gateway.catalogue, PromisesToNewcomers())
    async with (
        house.gateway.database.session(Tenant(where, None, actor.id)) as session,
        guard.change(session, where, actor.id),
    ):
        yield session
