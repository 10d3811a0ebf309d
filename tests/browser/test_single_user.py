"""The console of an installation in single-user mode: nobody signs in, and nobody is shown how."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import json
from pathlib import Path
from threading import Thread

from playwright.async_api import Browser, expect
import pytest

from tests.browser.conftest import Demo, visiting
from tests.support.commands import environment_for, free_port, started, wait_until
from tests.support.postgres import FreshDatabases


@pytest.fixture
def own(fresh_databases: FreshDatabases, tmp_path: Path) -> Iterator[Demo]:
    port = free_port()
    with fresh_databases.copy() as urls:
        environment = environment_for(urls, tmp_path, http__port=str(port), auth__mode="single")
        with started("serve", environment=environment, directory=tmp_path, port=port) as program:
            yield Demo(program, "", tmp_path / "mail")
            program.stop()


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # the name http.server asks for
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def other_site() -> Iterator[str]:
    """A website that is not ours: to browsers, localhost and 127.0.0.1 are two sites."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


class TestTheConsole:
    async def test_opens_at_home_without_a_way_to_sign_in_or_out(self, own: Demo, chromium: Browser) -> None:
        async with visiting(own, chromium) as visitor:
            page = await visitor.tab()
            await page.get_by_role("button", name="Home").click()
            await expect(page.get_by_role("heading", name="Home")).to_be_visible()
            await expect(page.locator("#permissions")).to_be_visible()
            await expect(page.locator("[data-action=signOut]")).to_have_count(0)
            await page.reload()
            await expect(page.locator("#permissions")).to_be_visible()

    async def test_refuses_what_a_page_of_another_site_asks_for(
        self, own: Demo, chromium: Browser, other_site: str
    ) -> None:
        async with visiting(own, chromium) as visitor:
            page = await visitor.context.new_page()
            await page.goto(other_site)
            for mode in ("no-cors", "cors"):
                await page.evaluate(
                    """async ([url, mode]) => { try { await fetch(url, { mode }); } catch { return; } }""",
                    [f"{own.url}/api/v1/users/me", mode],
                )
            visitor.expect_complaint("blocked by CORS policy")
            visitor.expect_complaint("net::ERR_FAILED")
            visitor.expect_complaint("net::ERR_BLOCKED_BY_RESPONSE")
        wait_until(lambda: len(_statuses(own, "/api/v1/users/me")) == 2)
        assert _statuses(own, "/api/v1/users/me") == [403, 403]


def _statuses(own: Demo, path: str) -> list[int]:
    """What requests for a path were answered, as the access log says."""
    lines = [json.loads(line) for line in own.program.said().splitlines() if line.startswith("{")]
    return [line["status"] for line in lines if line.get("path") == path and "status" in line]
