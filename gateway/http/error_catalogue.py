"""The catalogue of every error code: `docs/errors.md`, and the pages that the `type` of a problem document points to.

Both are made from the error classes themselves, so a code cannot be missing and a text cannot differ. `our_errors` is
what the product declares; a host's own error classes appear on the served pages too.
"""

from collections.abc import Iterable, Iterator
from html import escape
from http import HTTPStatus
from importlib import import_module
import pkgutil

from fastapi import APIRouter
from starlette.responses import HTMLResponse

import gateway
from gateway.http.open_routes import open_to_all
import modules
from modules.shared.errors import DomainError, NotFound
from modules.shared.i18n import LANGUAGES, Language

_INTRODUCTION = """# Error codes

Written by `scripts/render_docs.py` from the error classes.

Every refusal is an `application/problem+json` document (RFC 9457) with `type`, `title`, `status`, `detail`, `code` and
`request_id`; what stands in braces in a text is a member of the document too. A 422 lists the places at fault in
`errors`, each with a JSON pointer (RFC 6901). A 429 or 503 says in `Retry-After` how many seconds to wait.
"""


def our_errors() -> list[type[DomainError]]:
    """Every error class of the product, by status and code. One class per code: the one that declares it."""
    for package in (gateway, modules):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if _declares_errors(module.name):
                import_module(module.name)
    return _in_order(kind for kind in _all_errors() if _declares_errors(kind.__module__))


def render_markdown(errors: Iterable[type[DomainError]]) -> str:
    """The catalogue as a document."""
    parts = [_INTRODUCTION]
    status = 0
    for error in errors:
        if error.status != status:
            status = error.status
            parts.append(f"\n## {status} {HTTPStatus(status).phrase}\n")
        parts.append(f"\n### {error.code}\n\n{_meaning(error)}\n")
        parts.extend(f"\n- {language}: {_text(error, language)}" for language in LANGUAGES)
        parts.append("\n")
    return "".join(parts)


def catalogue_router() -> APIRouter:
    """`GET /errors` and `GET /errors/{code}`: pages without scripts, in both languages."""
    router = APIRouter(prefix="/errors", dependencies=[open_to_all("documentation")], include_in_schema=False)

    @router.get("")
    async def list_errors() -> HTMLResponse:
        """Every code, with a link to its page."""
        items = "".join(
            f'<li>{error.status} <a href="errors/{escape(error.code)}">{escape(error.code)}</a></li>'
            for error in _in_order(_all_errors())
        )
        return _page("Error codes", f"<h1>Error codes</h1><ul>{items}</ul>")

    @router.get("/{code}")
    async def get_error(code: str) -> HTMLResponse:
        """One code: its status, its texts, what it means."""
        error = next((kind for kind in _in_order(_all_errors()) if kind.code == code), None)
        if error is None:
            raise NotFound
        texts = "".join(f'<p lang="{language}">{escape(_text(error, language))}</p>' for language in LANGUAGES)
        heading = f"{error.status} {HTTPStatus(error.status).phrase}: {error.code}"
        return _page(heading, f"<h1>{escape(heading)}</h1>{texts}<p>{escape(_meaning(error))}</p>")

    return router


def _all_errors() -> Iterator[type[DomainError]]:
    waiting: list[type[DomainError]] = [DomainError]
    while waiting:
        kind = waiting.pop()
        yield kind
        waiting.extend(kind.__subclasses__())


def _declares_errors(module: str) -> bool:
    """A feature's errors stand in its `errors.py`; shared modules declare theirs beside what raises them."""
    package, _, rest = module.partition(".")
    return package in {"gateway", "modules"} and (rest.endswith("errors") or rest.startswith("shared."))


def _in_order(errors: Iterable[type[DomainError]]) -> list[type[DomainError]]:
    """One class per code; a subclass that inherits its code adds nothing for the reader."""
    declaring = [error for error in errors if error is DomainError or "code" in error.__dict__]
    return list(
        {error.code: error for error in sorted(declaring, key=lambda error: (error.status, error.code))}.values()
    )


def _meaning(error: type[DomainError]) -> str:
    return " ".join((error.__doc__ or "").partition("\n\n")[0].split())


def _text(error: type[DomainError], language: Language) -> str:
    title = error.title.in_(language)
    return f"{title}. {error.detail.in_(language)}" if error.detail else f"{title}."


def _page(title: str, content: str) -> HTMLResponse:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head>{head}</head><body>{content}</body></html>',
        headers={"Cache-Control": "public, max-age=3600"},
    )
