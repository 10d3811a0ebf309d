"""API keys, made as people make them."""

from dataclasses import dataclass
from uuid import UUID

import httpx

from modules.shared.ids import InstanceId, MandateId
from tests.support.gateway import Person, RunningGateway

KEYS = "/api/v1/users/me/api-keys"


@dataclass(frozen=True, slots=True)
class Key:
    """A key somebody made."""

    id: UUID
    secret: str
    gateway: RunningGateway

    def client(
        self, mandate_id: MandateId | None = None, instance_id: InstanceId | None = None, **headers: str
    ) -> httpx.AsyncClient:
        """A program that uses the key."""
        return self.gateway.client(None, mandate_id, instance_id, Authorization=f"Bearer {self.secret}", **headers)

    async def answer(
        self, method: str, path: str, mandate_id: MandateId | None = None, **body: object
    ) -> tuple[int, str]:
        """Status and, of a refusal, the code."""
        async with self.client(mandate_id) as client:
            answer = await client.request(method, f"/api/v1{path}", json=body or None)
        return answer.status_code, answer.json().get("code", "") if answer.is_error else ""


async def make_key(
    gateway: RunningGateway, person: Person, *scopes: str, mandate_id: MandateId | None = None, **more: str
) -> Key:
    """A key of `person` with these scopes."""
    wanted = {"name": "a program", "scopes": list(scopes), **more}
    if mandate_id is not None:
        wanted["mandate_id"] = str(mandate_id)
    async with gateway.client(person) as client:
        answer = await client.post(KEYS, json=wanted)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    return Key(UUID(made["id"]), made["key"], gateway)
