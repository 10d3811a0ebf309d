"""The catalogue of error codes, written and served."""

from pathlib import Path

from gateway.http.error_catalogue import catalogue_router, our_errors, render_markdown
from modules.shared.i18n import LANGUAGES
from tests.gateway.http.edge_app import calling, edge_app

DOCUMENT = Path(__file__).parents[3] / "docs" / "errors.md"


class TestTheDocument:
    def test_is_current(self) -> None:
        assert DOCUMENT.read_text("utf-8") == render_markdown(our_errors()), "run scripts/render_docs.py"

    def test_names_every_code_once(self) -> None:
        codes = [error.code for error in our_errors()]
        assert len(codes) == len(set(codes)) > 20


class TestEveryErrorOfOurs:
    def test_has_a_text_in_every_language(self) -> None:
        for error in our_errors():
            for language in LANGUAGES:
                assert error.title.in_(language).strip()
                assert error.detail is None or error.detail.in_(language).strip()

    def test_has_a_snake_case_code(self) -> None:
        assert [
            error.code
            for error in our_errors()
            if not error.code.replace("_", "").isalnum() or not error.code.islower()
        ] == []


class TestTheServedPages:
    async def test_show_the_page_a_problem_document_points_to(self) -> None:
        async with calling(edge_app(router=catalogue_router())) as client:
            problem = (await client.get("/api/v1/nowhere")).json()
            page = await client.get(problem["type"])
        assert page.status_code == 200
        assert "404 Not Found: not_found" in page.text

    async def test_contain_no_script(self) -> None:
        async with calling(edge_app(router=catalogue_router())) as client:
            page = await client.get("/errors")
        assert "<script" not in page.text
        assert "not_found" in page.text

    async def test_do_not_exist_for_an_unknown_code(self) -> None:
        async with calling(edge_app(router=catalogue_router())) as client:
            assert (await client.get("/errors/%3Cscript%3E")).status_code == 404
