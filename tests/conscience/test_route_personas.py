"""Who gets what of which route: the committed table `docs/route-personas.md`, tried on the real application."""

from tests.conscience.operations import operations
from tests.conscience.requests import bodies, path_values, queries
from tests.conscience.route_personas import TABLE, observe, render
from tests.conscience.world import World


class TestTheTable:
    async def test_is_what_the_application_does(self, here: World) -> None:
        rendered = render(await observe(here))
        assert rendered.splitlines() == TABLE.read_text(encoding="utf-8").splitlines()


class TestTheRequests:
    async def test_cover_every_operation(self, here: World) -> None:
        walked = operations(here.gateway.app)
        known_bodies, known_queries = bodies(here.own, here), queries(here.own)
        names = {each.operation_id for each in walked}
        assert {each.operation_id for each in walked if each.media_type} == known_bodies.keys()
        assert {each.operation_id for each in walked if each.required_query()} <= known_queries.keys() <= names

    async def test_know_every_parameter_of_a_path(self, here: World) -> None:
        unknown = {
            f"{each}: {name}"
            for each in operations(here.gateway.app)
            for name in each.parameters("path")
            if name not in path_values(each, here.own, here)
        }
        assert unknown == set()
