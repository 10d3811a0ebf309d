"""What belongs to another mandate is not there: in the path, in the body, in the query, in a header, in no list.

Asked by somebody who may do everything in the own mandate, with ids that really exist in the other.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx

from tests.conscience.operations import Operation, operations
from tests.conscience.requests import bodies, path_values
from tests.conscience.world import World
from tests.support.gateway import Person


class Attempt(NamedTuple):
    """One request that names something of the foreign mandate."""

    operation: Operation
    names: str
    path: str
    params: dict[str, str] | None = None
    body: Any = None

    def __str__(self) -> str:
        return f"{self.operation} with a foreign {self.names}"


def administrator_of(world: World) -> Person:
    person = world.personas["administrator"]
    assert person is not None
    return person


def administrator(world: World) -> httpx.AsyncClient:
    return world.gateway.client(administrator_of(world), world.own.mandate_id)


def of_mandates(world: World) -> list[Operation]:
    """The operations that work in the mandate of the header, or on what the caller owns."""
    return [each for each in operations(world.gateway.app) if not each.is_administration and not each.is_public]


def path_attempts(world: World) -> Iterator[Attempt]:
    """One parameter of one path at a time."""
    for operation in of_mandates(world):
        own = path_values(operation, world.own, world, administrator_of(world))
        body = bodies(world.own, world).get(operation.operation_id or "")
        for name in operation.parameters("path"):
            path = operation.filled({**own, name: getattr(world.foreign, name)})
            yield Attempt(operation, name, path, None, body)


def body_attempts(world: World) -> Iterator[Attempt]:
    """One id in one body at a time."""
    own, foreign = bodies(world.own, world), bodies(world.foreign, world)
    for operation in of_mandates(world):
        name = operation.operation_id or ""
        for member in operation.body_properties():
            theirs = foreign[name].get(member)
            if theirs != own[name].get(member):
                path = operation.filled(path_values(operation, world.own, world, administrator_of(world)))
                yield Attempt(operation, member, path, None, {**own[name], member: theirs})


def foreign_ids(world: World) -> set[str]:
    return {str(value) for value in world.foreign.values().values()}


def items_of(answer: httpx.Response) -> list[object]:
    """What a list, or a file, tells of."""
    if answer.headers["content-type"].startswith("text/csv"):
        return list(answer.text.splitlines()[1:])
    items: list[object] = answer.json()["items"]
    return items


async def tried(world: World, client: httpx.AsyncClient, attempts: Iterator[Attempt]) -> dict[str, str]:
    """What each attempt came to."""
    outcomes = {}
    for attempt in attempts:
        answer = await client.request(attempt.operation.method, attempt.path, params=attempt.params, json=attempt.body)
        changed = await world.snapshot.changed()
        outcomes[str(attempt)] = f"{answer.status_code}" + "".join(f" changed {table}" for table in changed)
        if changed:
            await world.snapshot.restore()
    return outcomes


class TestAForeignId:
    async def test_in_a_path_is_not_found_and_changes_nothing(self, here: World) -> None:
        async with administrator(here) as client:
            outcomes = await tried(here, client, path_attempts(here))
        assert {attempt: outcome for attempt, outcome in outcomes.items() if outcome != "404"} == {}
        assert len(outcomes) > 30

    async def test_in_a_body_is_refused_and_changes_nothing(self, here: World) -> None:
        visitor = here.personas["sysadmin flag and role"]  # also adds members without asking them
        async with here.gateway.client(visitor, here.own.mandate_id) as client:
            outcomes = await tried(here, client, body_attempts(here))
        assert {attempt: outcome for attempt, outcome in outcomes.items() if outcome not in {"404", "422"}} == {}
        assert len(outcomes) >= 5

    async def test_in_a_query_finds_nothing(self, here: World) -> None:
        found = []
        async with administrator(here) as client:
            for operation in of_mandates(here):
                for name, schema in operation.parameters("query").items():
                    if "uuid" not in str(schema) or operation.parameters("path"):
                        continue
                    for foreign_id in foreign_ids(here):
                        answer = await client.get(operation.path, params={name: foreign_id})
                        if answer.status_code == 200 and items_of(answer):
                            found.append(f"{operation} {name}")
        assert found == []

    async def test_of_an_instance_in_the_header_is_not_found(self, here: World) -> None:
        outcomes = {}
        for operation in of_mandates(here):
            if operation.reads_mandate_header:
                path = operation.filled(path_values(operation, here.own, here))
                body = bodies(here.own, here).get(operation.operation_id or "")
                headers = {"X-Instance-Id": str(here.foreign.instance_id)}
                async with administrator(here) as client:
                    answer = await client.request(operation.method, path, json=body, headers=headers)
                outcomes[str(operation)] = answer.status_code
        assert set(outcomes.values()) == {404}
        assert await here.snapshot.changed() == []

    async def test_of_a_mandate_in_the_header_opens_nothing(self, here: World) -> None:
        outcomes = set()
        async with here.gateway.client(administrator_of(here), here.foreign.mandate_id) as client:
            for operation in of_mandates(here):
                if operation.reads_mandate_header:
                    path = operation.filled(path_values(operation, here.foreign, here))
                    body = bodies(here.foreign, here).get(operation.operation_id or "")
                    answer = await client.request(operation.method, path, json=body)
                    outcomes.add((answer.status_code, answer.json()["code"]))
        assert outcomes == {(403, "not_a_member")}
        assert await here.snapshot.changed() == []


class TestAMandatesRole:
    async def test_is_no_global_role_for_those_who_administer_them(self, here: World) -> None:
        outcomes = {}
        async with here.gateway.client(here.omnipotent) as client:
            for operation in operations(here.gateway.app):
                if operation.path.startswith("/api/v1/admin/roles/"):
                    values = {**path_values(operation, here.own, here), "role_id": here.own.role_id}
                    body = bodies(here.own, here).get(operation.operation_id or "")
                    answer = await client.request(operation.method, operation.filled(values), json=body)
                    outcomes[str(operation)] = answer.status_code
        assert set(outcomes.values()) == {404}
        assert await here.snapshot.changed() == []
