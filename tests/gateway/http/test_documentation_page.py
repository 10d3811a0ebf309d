"""The documentation page in a real browser, under the console's content policy."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import socket

from fastapi import APIRouter
from playwright.async_api import async_playwright
import pytest
import uvicorn

from gateway.http.documentation import documentation_router
from gateway.http.edge_policy import EdgePolicy
from gateway.http.openapi import complete
from modules.shared.guards import public
from tests.gateway.http.edge_app import edge_app
from tests.support.parts import require_part
from tests.support.waiting import eventually

pytestmark = pytest.mark.browser

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        router = APIRouter(prefix="/api/v1")

        @router.post("/notes", operation_id="create_note", dependencies=[public("an example")])
        async def create_note() -> None:
            """Write **something** down, as [markdown](https://example.org)."""

        app = edge_app(EdgePolicy(url), router=router)
        app.include_router(documentation_router(app))
        complete(app)
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, proxy_headers=False))
        task = asyncio.create_task(server.serve([listener]))
        await eventually(lambda: server.started)
        try:
            yield url
        finally:
            server.should_exit = True
            await task


class TestThePage:
    async def test_shows_the_operations_without_a_complaint_of_the_browser(self) -> None:
        chromium = require_part("chromium")
        async with served() as url, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
            try:
                page = await browser.new_page()
                complaints: list[str] = []
                page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
                page.on("pageerror", lambda error: complaints.append(str(error)))
                await page.goto(f"{url}/docs")
                await page.get_by_text("/api/v1/notes").click()
                await page.locator(".renderedMarkdown strong").get_by_text("something").wait_for()
                await page.get_by_role("button", name="Authorize").first.click()
                await page.get_by_text("passwordFlow").first.wait_for()
            finally:
                await browser.close()
        assert complaints == []
