"""A house: a mandate with people in it, a foreign mandate with its own, and the operators, on the real application."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
import re
from typing import Any
from uuid import UUID

import httpx
import pytest

from modules.mandates.service.erasure import erase_mandate, order_erasures
from modules.mandates.service.invitation_mails import InvitationMails, mail_invitation
from modules.shared.database import Database
from modules.shared.ids import MandateId, RoleId
from modules.shared.jobs import JobContext, Task, TaskRegistry
from tests.support.gateway import Person, RunningGateway, running_gateway
from tests.support.mail import RecordingMail
from tests.support.postgres import DatabaseUrls

_JOBS = "SELECT id, task_name, args FROM jobs.procrastinate_jobs WHERE status = 'todo' ORDER BY id"
_SECRET = re.compile(r"#/invitation/(\S+)")


@dataclass
class House:
    """People and mandates, and ways to speak as them."""

    gateway: RunningGateway
    mandate: MandateId
    administrator: Person
    member: Person
    membership: UUID
    foreign: MandateId
    stranger: Person
    operator: Person
    mailer: RecordingMail = field(default_factory=RecordingMail)

    async def call(
        self,
        person: Person,
        method: str,
        path: str,
        mandate: MandateId | None = None,
        *,
        json: object = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """A request in the person's own mandate, or in the given one."""
        own = self.foreign if person is self.stranger else self.mandate
        async with self.gateway.client(person, mandate or own) as client:
            return await client.request(method, f"/api/v1{path}", json=json, params=params, headers=headers)

    async def made(self, person: Person, path: str, **document: object) -> dict[str, Any]:
        """What a POST created."""
        answer = await self.call(person, "POST", path, json=document)
        assert answer.status_code == 201, answer.text
        created: dict[str, Any] = answer.json()
        return created

    async def role(self, key: str) -> str:
        return str(await self.gateway.role(key))

    async def own_role(self, name: str, *rules: dict[str, Any]) -> RoleId:
        """A role of the mandate with these rules."""
        role = await self.made(self.administrator, "/roles", name=name)
        answer = await self.call(self.administrator, "PUT", f"/roles/{role['id']}/rules", json={"rules": list(rules)})
        assert answer.status_code == 200, answer.text
        return RoleId(UUID(role["id"]))

    async def person_with(self, *rules: dict[str, Any], name: str = "Clerk") -> Person:
        """A member whose only role has these rules."""
        person = await self.gateway.person()
        membership_id = await self.gateway.join(person, self.mandate)
        await self.gateway.give(membership_id, self.mandate, await self.own_role(name, *rules))
        return person

    async def membership_of(self, person: Person) -> str:
        rows = await self.gateway.sql(
            "SELECT id FROM memberships WHERE mandate_id = :mandate AND user_id = :user",
            mandate=self.mandate,
            user=person.id,
        )
        return str(rows[0]["id"])

    async def audited(self, mandate: MandateId | None = None) -> list[str]:
        """The codes of what happened in a mandate, the oldest first."""
        rows = await self.gateway.sql(
            "SELECT code FROM audit_events WHERE mandate_id = :mandate AND outcome = 'done' ORDER BY id",
            mandate=mandate or self.mandate,
        )
        return [row["code"] for row in rows]

    async def secret_for(self, email: str) -> str:
        """Perform the waiting mail jobs; the secret in the newest mail to this address."""
        await self.send_invitations()
        found = _SECRET.search(self.mailer.to(email)[-1].text)
        assert found is not None
        return found.group(1)

    async def send_invitations(self) -> None:
        """Perform the waiting jobs that mail invitations, as a worker would."""
        self.gateway.services.get(InvitationMails)._mailer = self.mailer
        for row in await self.gateway.sql(_JOBS):
            if row["task_name"] == mail_invitation.name:
                await self._perform(mail_invitation, row)

    async def erase_due(self) -> None:
        """What the hourly job and the jobs it orders do."""
        await order_erasures.handler(self.system_job())
        for row in await self.gateway.sql(_JOBS):
            if row["task_name"] == erase_mandate.name:
                await self._perform(erase_mandate, row)

    async def _perform(self, task: Task, row: Mapping[str, Any]) -> None:
        arguments = task.arguments.model_validate(row["args"]["arguments"])
        await task.handler(self._job(row), **{name: getattr(arguments, name) for name in type(arguments).model_fields})
        await self.gateway.sql("UPDATE jobs.procrastinate_jobs SET status = 'succeeded' WHERE id = :id", id=row["id"])

    def system_job(self) -> JobContext:
        """What the worker gives to a task of the installation."""
        return self._job_context(1, None, system=True)

    def _job(self, row: Mapping[str, Any]) -> JobContext:
        mandate_id = row["args"]["mandate_id"]
        return self._job_context(row["id"], MandateId(UUID(mandate_id)) if mandate_id else None, system=False)

    def _job_context(self, job_id: int, mandate_id: MandateId | None, *, system: bool) -> JobContext:
        return JobContext(
            job_id=job_id,
            attempt=1,
            mandate_id=mandate_id,
            actor_id=None,
            system=system,
            database=self.gateway.services.get(Database),
            services=self.gateway.services,
            tasks=TaskRegistry(),
        )


async def furnished(gateway: RunningGateway) -> House:
    """The house in a running gateway."""
    mandate, foreign = await gateway.mandate("acme", "Acme"), await gateway.mandate("other", "Other")
    administrator = await gateway.person("ada@example.org")
    member = await gateway.person("mia@example.org")
    stranger = await gateway.person("sam@example.org")
    operator = await gateway.person("op@example.org", sysadmin=True)
    await gateway.join(administrator, mandate, "administrator")
    membership = await gateway.join(member, mandate, "member")
    await gateway.join(stranger, foreign, "administrator")
    await gateway.join(operator, await gateway.root(), "sysadmin")
    return House(gateway, mandate, administrator, member, membership, foreign, stranger, operator)


@pytest.fixture
async def house(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[House]:
    async with running_gateway(database_urls, tmp_path) as gateway:
        yield await furnished(gateway)
