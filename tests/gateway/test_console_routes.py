"""The files of the console: who may load them, how browsers keep them, and what they may not contain."""

from collections.abc import AsyncIterator
from pathlib import Path
import re

import httpx
import pytest

from gateway.app import Gateway, stand_alone
from gateway.settings import Settings
from modules.auth.service import mails as auth_mails

CONSOLE = Path(__file__).parents[2] / "gateway" / "console"


@pytest.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway that has not started: the files need no database."""
    settings = Settings.load(None, environment={}, overrides={"installation.name": "Alpine & <Co>"})
    transport = httpx.ASGITransport(stand_alone(Gateway(settings)))
    async with httpx.AsyncClient(transport=transport, base_url=settings.http.public_url) as client:
        yield client


class TestGetConsole:
    async def test_is_titled_with_the_installations_name_as_text(self, browser: httpx.AsyncClient) -> None:
        assert "<title>Alpine &amp; &lt;Co&gt;</title>" in (await browser.get("/console/")).text

    async def test_allows_no_inline_script_and_no_other_origin(self, browser: httpx.AsyncClient) -> None:
        policy = (await browser.get("/console/")).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy
        assert "require-trusted-types-for 'script'; trusted-types 'none'" in policy

    async def test_is_found_without_the_slash_and_at_the_front_door(self, browser: httpx.AsyncClient) -> None:
        for address in ("/console", "/"):
            assert (await browser.get(address)).headers["location"] == "/console/"


class TestGetConsoleFile:
    @pytest.mark.parametrize(
        ("name", "media_type"),
        [("console.js", "text/javascript"), ("console.css", "text/css"), ("icon.svg", "image/svg+xml")],
    )
    async def test_has_its_media_type(self, browser: httpx.AsyncClient, name: str, media_type: str) -> None:
        answer = await browser.get(f"/console/{name}")
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, media_type)

    async def test_is_kept_by_browsers_and_asked_about_each_time(self, browser: httpx.AsyncClient) -> None:
        first = await browser.get("/console/console.js")
        assert first.headers["cache-control"] == "public, max-age=0, must-revalidate"
        again = await browser.get("/console/console.js", headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])

    async def test_is_sent_again_when_it_changed(self, browser: httpx.AsyncClient) -> None:
        answer = await browser.get("/console/console.js", headers={"If-None-Match": '"older"'})
        assert answer.status_code == 200

    @pytest.mark.parametrize("name", ["routes.py", "index.html", "..%2Fapp.py", "vendor", "nothing.js"])
    async def test_is_one_of_the_consoles(self, browser: httpx.AsyncClient, name: str) -> None:
        assert (await browser.get(f"/console/{name}")).status_code == 404


def _texts() -> str:
    return "\n".join(file.read_text(encoding="utf-8") for file in sorted(CONSOLE.glob("texts*.js")))


class TestFiles:
    def test_hold_no_sink_that_reads_text_as_markup(self) -> None:
        sinks = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function")
        assert [file.name for file in CONSOLE.glob("*.js") if sinks.search(file.read_text(encoding="utf-8"))] == []

    def test_have_every_text_they_ask_for(self) -> None:
        known = set(re.findall(r"^  (\w+): \[", _texts(), re.MULTILINE))
        asked = {
            name
            for file in CONSOLE.glob("*.js")
            for name in re.findall(r"\btext\(\"(\w+)\"", file.read_text(encoding="utf-8"))
        }
        assert asked - known == set()

    def test_have_every_text_in_both_languages(self) -> None:
        lines = re.findall(r"^  \w+: (\[.*\]),$", _texts(), re.MULTILINE)
        assert lines
        assert [line for line in lines if len(re.findall(r'"[^"]+"', line)) != 2] == []


class TestLinksInMails:
    def test_open_pages_that_the_console_has(self) -> None:
        mandates = (CONSOLE.parents[1] / "modules/mandates/service/invitation_mails.py").read_text("utf-8")
        linked = {*re.findall(r"console/#/([a-z-]+)/", mandates), *auth_mails._PAGES.values()}
        console = (CONSOLE / "console.js").read_text("utf-8")
        pages = set(re.findall(r'^  "?([a-z-]+)"?: draw\w+,$', console, re.MULTILINE))
        assert "invitation" in linked
        assert linked <= pages
