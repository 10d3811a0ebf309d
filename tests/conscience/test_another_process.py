"""What is changed through one process counts with the very next request to another: nothing is remembered that could
have changed.

The other is `mandate serve` with two workers on the same database; every request goes over a connection of its own, so
that both get some. The change is made through the API of this process.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from modules.shared.ids import InstanceId, MandateId, RoleId, new_id
from tests.support.api_keys import Key, make_key
from tests.support.commands import Program, environment_for, free_port, started
from tests.support.gateway import Person, RunningGateway, running_gateway
from tests.support.postgres import DatabaseUrls, FreshDatabases

_ENOUGH_FOR_BOTH = 8
pytestmark = pytest.mark.slow
_SAME = {"auth__issuer": "tests", "jobs__in_process": "no", "logging__level": "WARNING"}


@dataclass(frozen=True, slots=True)
class Installation:
    """The other process, and what this one needs to be its sibling."""

    urls: DatabaseUrls
    directory: Path
    program: Program


@pytest.fixture(scope="module")
def installation(fresh_databases: FreshDatabases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    directory, port = tmp_path_factory.mktemp("installation"), free_port()
    with fresh_databases.copy() as urls:
        environment = environment_for(urls, directory, http__port=str(port), http__workers="2", **_SAME)
        with started("serve", environment=environment, directory=directory, port=port) as program:
            yield Installation(urls, directory, program)


@dataclass(frozen=True, slots=True)
class Scene:
    """A mandate with an administrator and a member whose only role reads groups, and has access to an instance."""

    here: RunningGateway
    program: Program
    mandate_id: MandateId
    administrator: Person
    member: Person
    membership_id: UUID
    assignment_id: UUID
    role_id: RoleId
    everyone_id: RoleId
    instance_id: InstanceId
    operator: Person

    async def change(self, person: Person, method: str, path: str, **options: Any) -> None:  # noqa: ANN401
        """Do something through this process; it must succeed."""
        async with self.here.client(person, self.mandate_id) as client:
            answer = await client.request(method, f"/api/v1{path}", **options)
            assert answer.is_success, answer.text

    def asked_elsewhere(self) -> set[tuple[int, str]]:
        """What the member gets of the other process, of both of its workers."""
        headers = {
            "Authorization": f"Bearer {self.member.token}",
            "X-Mandate-Id": str(self.mandate_id),
            "X-Instance-Id": str(self.instance_id),
        }
        answers = [
            httpx.get(f"{self.program.url}/api/v1/groups", headers=headers, timeout=30) for _ in range(_ENOUGH_FOR_BOTH)
        ]
        return {(answer.status_code, answer.json().get("code", "")) for answer in answers}


@pytest.fixture
async def scene(installation: Installation) -> AsyncIterator[Scene]:
    async with running_gateway(installation.urls, installation.directory, auth__issuer="tests") as here:
        name = new_id().hex[-12:]
        mandate_id = await here.mandate(f"m-{name}")
        administrator = await here.person(f"{name}@example.org")
        await here.join(administrator, mandate_id, "administrator")
        member = await here.person(f"{name}@elsewhere.test")
        membership_id = await here.join(member, mandate_id)
        role_id, assignment_id = await _role(here, mandate_id), new_id()
        await here.sql(
            "INSERT INTO role_assignments (id, mandate_id, membership_id, role_id, role_mandate_id, role_scope)"
            " VALUES (:id, :mandate, :membership, :role, :mandate, 'mandate')",
            id=assignment_id,
            mandate=mandate_id,
            membership=membership_id,
            role=role_id,
        )
        instance_id = await here.instance(mandate_id, "demo")
        await here.sql(
            "INSERT INTO instance_access (id, mandate_id, instance_id, user_id)"
            " VALUES (:id, :mandate, :instance, :user)",
            id=new_id(),
            mandate=mandate_id,
            instance=instance_id,
            user=member.id,
        )
        everyone = await here.sql("SELECT id FROM roles WHERE mandate_id = :id AND key = 'everyone'", id=mandate_id)
        operator = await here.person(f"operator-{name}@example.org", sysadmin=True)
        await here.join(operator, await here.root(), "sysadmin")
        yield Scene(
            here,
            installation.program,
            mandate_id,
            administrator,
            member,
            membership_id,
            assignment_id,
            role_id,
            RoleId(everyone[0]["id"]),
            instance_id,
            operator,
        )


async def _role(here: RunningGateway, mandate_id: MandateId) -> RoleId:
    role_id = RoleId(new_id())
    await here.sql(
        "INSERT INTO roles (id, mandate_id, scope, name, version)"
        " VALUES (:id, :mandate, 'mandate', 'reader', :version)",
        id=role_id,
        mandate=mandate_id,
        version=new_id(),
    )
    await here.sql(
        "INSERT INTO access_rules (id, mandate_id, role_id, kind, item, may_read)"
        " VALUES (:id, :mandate, :role, 'RESOURCE', 'groups', 3)",
        id=new_id(),
        mandate=mandate_id,
        role=role_id,
    )
    return role_id


Change = Callable[[Scene], Awaitable[None]]
_RULES = {"rules": [{"kind": "RESOURCE", "item": "groups", "read": "none"}]}
_DENIED, _OUT = (403, "permission_denied"), (401, "invalid_token")
CHANGES: dict[str, tuple[Change, tuple[int, str]]] = {
    "a rule": (lambda s: s.change(s.administrator, "PUT", f"/roles/{s.role_id}/rules", json=_RULES), _DENIED),
    "a rule that binds everyone": (
        lambda s: s.change(s.administrator, "PUT", f"/roles/{s.everyone_id}/rules", json=_RULES),
        _DENIED,
    ),
    "a deleted role": (lambda s: s.change(s.administrator, "DELETE", f"/roles/{s.role_id}"), _DENIED),
    "a role taken away": (
        lambda s: s.change(s.administrator, "DELETE", f"/roles/{s.role_id}/assignments/{s.assignment_id}"),
        _DENIED,
    ),
    "a membership disabled": (
        lambda s: s.change(s.administrator, "PATCH", f"/members/{s.membership_id}", json={"enabled": False}),
        (403, "membership_disabled"),
    ),
    "a membership ended": (
        lambda s: s.change(s.administrator, "DELETE", f"/members/{s.membership_id}"),
        (403, "not_a_member"),
    ),
    "a login policy": (
        lambda s: s.change(
            s.administrator, "PATCH", "/mandate", json={"login_policy": {"email_domains": ["example.org"]}}
        ),
        (403, "login_method_not_allowed"),
    ),
    "an instance disabled": (
        lambda s: s.change(s.administrator, "PATCH", f"/instances/{s.instance_id}", json={"enabled": False}),
        (403, "instance_access_disabled"),
    ),
    "access to an instance disabled": (
        lambda s: s.change(
            s.administrator, "PATCH", f"/instances/{s.instance_id}/access/{s.member.id}", json={"enabled": False}
        ),
        (403, "instance_access_disabled"),
    ),
    "a mandate disabled": (
        lambda s: s.change(s.operator, "POST", f"/admin/mandates/{s.mandate_id}/disable"),
        (403, "not_a_member"),
    ),
    "an account disabled": (lambda s: s.change(s.operator, "POST", f"/admin/users/{s.member.id}/disable"), _OUT),
    "sessions ended by an operator": (
        lambda s: s.change(s.operator, "DELETE", f"/admin/users/{s.member.id}/sessions"),
        _OUT,
    ),
    "a token revoked": (lambda s: s.change(s.member, "POST", "/auth/revoke", data={"token": s.member.token}), _OUT),
    "a session revoked": (lambda s: s.change(s.member, "DELETE", f"/auth/sessions/{s.member.session_id}"), _OUT),
    "a logout": (lambda s: s.change(s.member, "POST", "/auth/logout"), _OUT),
    "a logout everywhere": (lambda s: s.change(s.member, "POST", "/auth/logout-all"), _OUT),
}


class TestAChangeThroughOneProcess:
    @pytest.mark.parametrize("what", CHANGES)
    async def test_counts_with_the_next_request_to_another(self, scene: Scene, what: str) -> None:
        assert scene.asked_elsewhere() == {(200, "")}
        change, expected = CHANGES[what]
        await change(scene)
        assert scene.asked_elsewhere() == {expected}

    async def test_that_gives_a_right_counts_too(self, scene: Scene) -> None:
        await scene.change(scene.administrator, "PATCH", f"/members/{scene.membership_id}", json={"role_ids": []})
        assert scene.asked_elsewhere() == {_DENIED}
        reader = {"role_ids": [str(scene.role_id)]}
        await scene.change(scene.administrator, "PATCH", f"/members/{scene.membership_id}", json=reader)
        assert scene.asked_elsewhere() == {(200, "")}


class TestAnApiKey:
    async def test_ends_in_every_process_at_once(self, scene: Scene) -> None:
        key, program = await _program(scene)
        assert program.asked_elsewhere() == {(200, "")}
        await scene.change(scene.member, "DELETE", f"/users/me/api-keys/{key.id}")
        assert program.asked_elsewhere() == {_OUT}

    @pytest.mark.parametrize("what", ["a rule", "a membership disabled", "a mandate disabled", "an account disabled"])
    async def test_loses_in_every_process_what_its_owner_loses(self, scene: Scene, what: str) -> None:
        _, program = await _program(scene)
        assert program.asked_elsewhere() == {(200, "")}
        change, expected = CHANGES[what]
        await change(scene)
        assert program.asked_elsewhere() == {expected}


async def _program(scene: Scene) -> tuple[Key, Scene]:
    """The scene as a program of the member sees it."""
    key = await make_key(scene.here, scene.member, "groups:read")
    return key, replace(scene, member=replace(scene.member, token=key.secret))
