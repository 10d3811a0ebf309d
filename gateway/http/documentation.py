"""`/docs`: the OpenAPI document as a page to try things on, from files of this installation, under the content
policy of the console.

Nothing is loaded from elsewhere and nothing is inline, so the page works without the internet and reports no policy
violation.
"""

from html import escape
from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.responses import FileResponse, HTMLResponse

from gateway.http.edge_policy import CONTENT_SECURITY_POLICY
from gateway.http.open_routes import open_to_all
from modules.shared.errors import NotFound

_CONSOLE = Path(__file__).parent.parent / "console"
_FILES = {
    "swagger-ui.css": (_CONSOLE / "vendor" / "swagger-ui-dist" / "swagger-ui.css", "text/css"),
    "swagger-ui-bundle.js": (_CONSOLE / "vendor" / "swagger-ui-dist" / "swagger-ui-bundle.js", "text/javascript"),
    "start.js": (Path(__file__).parent / "documentation.js", "text/javascript"),
}


# Swagger UI makes markup from text, which start.js and DOMPurify declare trusted.
_POLICY = CONTENT_SECURITY_POLICY.replace(b"trusted-types 'none'", b"trusted-types default dompurify").decode()


def documentation_router(app: FastAPI) -> APIRouter:
    """`GET /docs` and the files it needs. The application's own `docs_url` and `redoc_url` must be off: they load
    from elsewhere.
    """
    router = APIRouter(prefix="/docs", dependencies=[open_to_all("documentation")], include_in_schema=False)

    @router.get("")
    async def show_documentation() -> HTMLResponse:
        """The page; where to find the document stands in an attribute, because the policy allows no inline script."""
        return HTMLResponse(
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            f"<title>{escape(app.title)}</title>"
            '<link rel="icon" href="data:,"><link rel="stylesheet" href="docs/swagger-ui.css"></head>'
            f'<body><div id="documentation" data-document="{escape((app.openapi_url or "").lstrip("/"))}"></div>'
            '<script src="docs/swagger-ui-bundle.js"></script><script src="docs/start.js"></script></body></html>',
            headers={"Cache-Control": "public, max-age=300", "Content-Security-Policy": _POLICY},
        )

    @router.get("/{name}")
    async def get_documentation_file(name: str) -> FileResponse:
        """One of the three files the page loads."""
        if name not in _FILES:
            raise NotFound
        path, media_type = _FILES[name]
        return FileResponse(path, media_type=media_type, headers={"Cache-Control": "public, max-age=3600"})

    return router
