"""Who may call a route stands in its signature, and in the OpenAPI document: for every route there is."""

from collections import Counter
from pathlib import Path

from fastapi import APIRouter, FastAPI, params
from fastapi.routing import iter_route_contexts
import pytest

from gateway.app import InvalidDeclaration, create_app
from gateway.http.route_guards import guards_of
from modules.shared.guards import require_sign_in, require_sysadmin
from tests.conscience.operations import Operation, operations
from tests.support.gateway import settings_for
from tests.support.postgres import DatabaseUrls

_FRAMEWORK_ROUTES = {"/openapi.json"}
_REFUSALS_OF_ALL = {"400", "421", "429", "503"}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """The application as `mandate serve` makes it; it is not started, so it asks no database."""
    nowhere = "postgresql://nobody@localhost:5432/nothing"
    urls = DatabaseUrls(nowhere, nowhere, nowhere, nowhere, nowhere)
    return create_app(settings_for(urls, tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def described(app: FastAPI) -> list[Operation]:
    """What the OpenAPI document tells; pages are not in it."""
    return [each for each in operations(app) if each.operation_id is not None]


def planted(app: FastAPI, *guards: params.Depends) -> None:
    """A route of ours with these guards, as a feature would bring it."""
    router = APIRouter(dependencies=list(guards))

    async def steal() -> None: ...

    steal.__module__ = "modules.rbac.endpoints.planted"
    router.add_api_route("/api/v1/loot", steal)
    app.include_router(router)


class TestEveryRoute:
    def test_has_exactly_one_guard(self, app: FastAPI) -> None:
        others = [
            (route.path_format, [guard.describe() for guard in guards])
            for route, guards in guards_of(app)
            if len(guards) != 1
        ]
        assert others == []

    def test_is_one_whose_dependencies_can_be_walked(self, app: FastAPI) -> None:
        walked = {route.path_format for route, _ in guards_of(app)}
        paths = {context.path_format or context.path for context in iter_route_contexts(app.routes)}
        assert paths - walked == _FRAMEWORK_ROUTES

    def test_gives_a_reason_where_it_is_open_to_anybody(self, app: FastAPI) -> None:
        silent = [str(each) for each in operations(app) if each.is_public and not each.guard.reason.strip()]
        assert silent == []


class TestEveryOperation:
    def test_has_an_id_of_its_own(self, described: list[Operation]) -> None:
        repeated = [name for name, times in Counter(each.operation_id for each in described).items() if times > 1]
        assert repeated == []

    def test_has_an_id_of_verb_and_noun(self, app: FastAPI, described: list[Operation]) -> None:
        generated = {each.operation_id for each in described if "api_v1" in str(each.operation_id)}
        assert generated == set()

    def test_has_a_summary_and_a_sentence(self, described: list[Operation]) -> None:
        silent = [
            str(each) for each in described if not (each.described.get("summary") and each.described.get("description"))
        ]
        assert silent == []

    def test_says_what_its_guard_asks(self, described: list[Operation]) -> None:
        other = {str(each): each.described.get("x-permission") for each in described}
        assert other == {str(each): each.guard.describe() for each in described}

    def test_declares_the_refusals_anything_can_get(self, described: list[Operation]) -> None:
        silent = [str(each) for each in described if not each.described["responses"].keys() >= _REFUSALS_OF_ALL]
        assert silent == []

    def test_declares_that_it_refuses_strangers(self, described: list[Operation]) -> None:
        guarded = [each for each in described if not each.is_public]
        assert [str(each) for each in guarded if not {"401", "403"} <= each.described["responses"].keys()] == []

    def test_declares_its_refusals_as_problem_documents(self, described: list[Operation]) -> None:
        other = [
            f"{each} {status}"
            for each in described
            for status, answer in each.described["responses"].items()
            if int(status) >= 400 and "application/problem+json" not in answer.get("content", {})
        ]
        assert other == []


class TestARouteWithoutAGuard:
    def test_is_found(self, app: FastAPI) -> None:
        bare = FastAPI()
        planted(bare)
        assert [len(guards) for route, guards in guards_of(bare) if route.path_format == "/api/v1/loot"] == [0]

    @pytest.mark.parametrize("guards", [(), (require_sign_in(), require_sysadmin())], ids=["none", "two"])
    async def test_stops_the_start(
        self, database_urls: DatabaseUrls, tmp_path: Path, guards: tuple[params.Depends, ...]
    ) -> None:
        app = create_app(settings_for(database_urls, tmp_path))
        planted(app, *guards)
        with pytest.raises(InvalidDeclaration, match="/api/v1/loot"):
            async with app.router.lifespan_context(app):
                pytest.fail("started")

    async def test_of_a_host_is_the_hosts_affair(self, database_urls: DatabaseUrls, tmp_path: Path) -> None:
        app = create_app(settings_for(database_urls, tmp_path))

        @app.get("/host")
        async def show_host() -> None: ...

        async with app.router.lifespan_context(app):
            assert "/host" in {route.path_format for route, guards in guards_of(app) if not guards}
