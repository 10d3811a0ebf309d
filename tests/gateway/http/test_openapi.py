"""What the OpenAPI document says about who may call what, and the page that shows it."""

from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Header

from gateway.http.documentation import documentation_router
from gateway.http.openapi import complete
from modules.shared.context import Caller, RequestContext
from modules.shared.guards import public, require, require_sign_in, require_sysadmin, require_sysadmin_role
from modules.shared.wire import WireModel
from tests.gateway.http.edge_app import calling, edge_app

MayRead = Annotated[RequestContext, require("invoices", "read")]
MayUpdate = Annotated[RequestContext, require("invoices", "update")]
Myself = Annotated[Caller, require_sign_in()]


class InvoiceCreate(WireModel):
    text: str


def documented_app() -> FastAPI:
    inner = APIRouter(prefix="/invoices")

    @inner.get("")
    async def list_invoices(context: MayRead) -> list[str]:
        return []

    @inner.patch("/{invoice_id}")
    async def change_invoice(
        invoice_id: int,
        change: InvoiceCreate,
        if_match: Annotated[str, Header()],
        context: MayUpdate,
    ) -> None: ...

    @inner.get("/mine")
    async def my_invoices(caller: Myself) -> list[str]:
        return []

    outer = APIRouter(prefix="/api/v1")
    outer.include_router(inner)
    administration = APIRouter(prefix="/api/v1/admin", dependencies=[require_sysadmin_role("prices", "update")])

    @administration.put("/prices", dependencies=[require_sysadmin()])
    async def set_prices() -> None: ...

    @outer.get("/auth/methods", dependencies=[public("nothing to protect")])
    async def list_methods() -> list[str]:
        return []

    app = edge_app(router=outer)
    app.include_router(administration)
    app.include_router(documentation_router(app))
    complete(app)
    return app


def operation(method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = documented_app().openapi()["paths"][path][method]
    return found


class TestTheDocument:
    def test_names_the_permission_of_an_operation(self) -> None:
        assert operation("get", "/api/v1/invoices")["x-permission"] == "invoices:read"

    def test_names_every_guard_also_those_of_the_router(self) -> None:
        assert operation("put", "/api/v1/admin/prices")["x-permission"] == "sysadmin role: prices:update; sysadmin flag"

    def test_offers_cookie_bearer_and_password(self) -> None:
        schemes = operation("get", "/api/v1/invoices")["security"]
        assert [next(iter(scheme)) for scheme in schemes] == ["cookieAuth", "bearerAuth", "passwordFlow"]

    def test_says_that_a_public_operation_needs_nothing(self) -> None:
        methods = operation("get", "/api/v1/auth/methods")
        assert (methods["security"], methods["x-permission"]) == ([], "public: nothing to protect")

    def test_points_the_password_flow_to_the_token_route(self) -> None:
        schemes = documented_app().openapi()["components"]["securitySchemes"]
        assert schemes["passwordFlow"]["flows"]["password"]["tokenUrl"] == "/api/v1/auth/token"

    def test_declares_the_refusals_a_change_can_get(self) -> None:
        answers = set(operation("patch", "/api/v1/invoices/{invoice_id}")["responses"])
        assert answers == {"200", "400", "401", "403", "404", "409", "412", "413", "415", "421", "422", "429", "503"}

    def test_declares_no_refusal_a_plain_read_cannot_get(self) -> None:
        assert set(operation("get", "/api/v1/invoices/mine")["responses"]) == {
            "200",
            "400",
            "401",
            "403",
            "421",
            "429",
            "503",
        }

    def test_declares_refusals_as_problem_documents(self) -> None:
        answer = operation("get", "/api/v1/invoices")["responses"]["429"]
        assert answer["content"] == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        assert "Retry-After" in answer["headers"]

    def test_leaves_operations_of_a_host_without_a_guard_alone(self) -> None:
        host = operation("get", "/host/items/{item_id}")
        assert ("x-permission" in host, set(host["responses"])) == (False, {"200", "422"})

    async def test_is_made_once(self) -> None:
        app = documented_app()
        assert app.openapi() is app.openapi()


class TestTheDocumentationPage:
    async def test_loads_only_files_of_this_installation(self) -> None:
        async with calling(documented_app()) as client:
            page = await client.get("/docs")
            assert "http" not in page.text
            for name in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js"):
                assert f"docs/{name}" in page.text
                assert (await client.get(f"/docs/{name}")).status_code == 200

    async def test_has_nothing_inline(self) -> None:
        async with calling(documented_app()) as client:
            page = (await client.get("/docs")).text
        assert ("<style" in page, "<script>" in page, " on" in page.replace(" onto", "")) == (False, False, False)

    async def test_serves_no_other_file(self) -> None:
        async with calling(documented_app()) as client:
            assert (await client.get("/docs/..%2fdocumentation.py")).status_code == 404
