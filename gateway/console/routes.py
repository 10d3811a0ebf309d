"""`/console/`: the files of the console, held in memory.

The page is asked for each time (304 without a body while it holds) and names its files in a folder after the hash of
all of them, which browsers keep for good: opening it again is one request and not one for each file, all of which count
for the address, and after an update nobody runs half of the old console with half of the new one.
"""

from collections.abc import Iterable, Mapping
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
_KEPT = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    media_type: str
    tag: str

    @classmethod
    def of(cls, content: bytes, media_type: str) -> Self:
        return cls(content, media_type, f'"{sha256(content).hexdigest()[:32]}"')

    def answer(self, known: str | None, caching: str = _CACHING) -> Response:
        headers = {"ETag": self.tag, "Cache-Control": caching}
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
    files = _files()
    present = _folder_of(files)
    page = _File.of(_page(product, present, files), "text/html")

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
        """One of its files, as it is now."""
        if name not in files:
            raise NotFound
        return files[name].answer(if_none_match)

    @router.get("/{folder}/{name}")
    async def get_console_file_for_good(
        folder: str, name: str, if_none_match: Annotated[str | None, Header()] = None
    ) -> Response:
        """A file the page loads: at this address it never changes."""
        if folder != present or name not in files:
            raise NotFound
        return files[name].answer(if_none_match, _KEPT)

    return router


def front_door_router() -> APIRouter:
    """`/` leads to the console, where the gateway has the application for itself."""
    router = APIRouter(dependencies=[open_to_all("leads to the console")], include_in_schema=False)

    @router.get("/")
    async def enter() -> Response:
        """To the console."""
        return RedirectResponse("/console/", status_code=307, headers={"Cache-Control": _CACHING})

    return router


def folder_of_files() -> str:
    """The folder that the page names, as long as none of the files changes."""
    return _folder_of(_files())


def _files() -> dict[str, _File]:
    found = sorted(path for path in _FOLDER.iterdir() if path.suffix in _TYPES)
    return {path.name: _File.of(path.read_bytes(), _TYPES[path.suffix]) for path in found}


def _folder_of(files: Mapping[str, _File]) -> str:
    told = "".join(f"{name} {file.tag}\n" for name, file in files.items())
    return sha256(told.encode()).hexdigest()[:16]


def _page(product: str, folder: str, files: Iterable[str]) -> bytes:
    """The modules are asked for at once, rather than each when the one that imports it is there."""
    modules = [name for name in files if name.endswith(".js")]
    preloads = "\n".join(f'<link rel="modulepreload" href="{folder}/{name}">' for name in modules)
    template = Template((_FOLDER / "index.html").read_text(encoding="utf-8"))
    return template.substitute(product=escape(product), folder=folder, preloads=preloads).encode()
