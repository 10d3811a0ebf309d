"""`/console/`: the files of the console, held in memory and revalidated by their hash.

Browsers keep them and ask each time whether they still hold (304 without a body), so that after an update nobody runs
half of the old console with half of the new one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from pathlib import Path
from string import Template
from typing import Annotated, Self

from fastapi import APIRouter, Header
from starlette.responses import RedirectResponse, Response

from gateway.http.open_routes import open_to_all
from modules.shared.errors import NotFound

_FOLDER = Path(__file__).parent
_TYPES: Mapping[str, str] = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_CACHING = "public, max-age=0, must-revalidate"


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    media_type: str
    tag: str

    @classmethod
    def of(cls, content: bytes, media_type: str) -> Self:
        return cls(content, media_type, f'"{sha256(content).hexdigest()[:32]}"')

    def answer(self, known: str | None) -> Response:
        headers = {"ETag": self.tag, "Cache-Control": _CACHING}
        if known is not None and self.tag in known:
            return Response(status_code=304, headers=headers)
        return Response(self.content, media_type=self.media_type, headers=headers)


def console_router(product: str) -> APIRouter:
    """The page at `/console/`, titled with the installation's name, and the files it loads."""
    router = APIRouter(
        prefix="/console",
        dependencies=[open_to_all("the console's files are the same for all")],
        include_in_schema=False,
    )
    page = _File.of(_page(product), "text/html")
    files = {
        path.name: _File.of(path.read_bytes(), _TYPES[path.suffix])
        for path in _FOLDER.iterdir()
        if path.suffix in _TYPES
    }

    @router.get("")
    async def find_console() -> Response:
        """The page's own files are named relative to it, so its address ends with a slash."""
        return RedirectResponse("/console/", status_code=308, headers={"Cache-Control": _CACHING})

    @router.get("/")
    async def get_console(if_none_match: Annotated[str | None, Header()] = None) -> Response:
        """The page."""
        return page.answer(if_none_match)

    @router.get("/{name}")
    async def get_console_file(name: str, if_none_match: Annotated[str | None, Header()] = None) -> Response:
        """A file the page loads."""
        if name not in files:
            raise NotFound
        return files[name].answer(if_none_match)

    return router


def front_door_router() -> APIRouter:
    """`/` leads to the console, where the gateway has the application for itself."""
    router = APIRouter(dependencies=[open_to_all("leads to the console")], include_in_schema=False)

    @router.get("/")
    async def enter() -> Response:
        """To the console."""
        return RedirectResponse("/console/", status_code=307, headers={"Cache-Control": _CACHING})

    return router


def _page(product: str) -> bytes:
    """The modules are asked for at once, rather than each when the one that imports it is there."""
    modules = sorted(path.name for path in _FOLDER.glob("*.js"))
    preloads = "\n".join(f'<link rel="modulepreload" href="{name}">' for name in modules)
    template = Template((_FOLDER / "index.html").read_text(encoding="utf-8"))
    return template.substitute(product=escape(product), preloads=preloads).encode()
