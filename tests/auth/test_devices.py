"""Devices: what they are called, who is told of a new one, and how they are forgotten."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from modules.auth.service.device_names import device_name
from modules.auth.service.new_device import local_time
from modules.shared.i18n import Language
from tests.auth.people import FAST_HASHES, FIREFOX, PASSWORD, Browser, Mailbox, account, audited
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.places import write_places
from tests.support.postgres import DatabaseUrls

ADA = "ada@example.org"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/17.5 Mobile/15E148 Safari/604.1"
)
MAC = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4"
    " Safari/605.1.15"
)
EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
    " Edg/126.0.0.0"
)
PIXEL = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile"
    " Safari/537.36"
)


@pytest.fixture
async def placing_gateway(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """With a worker, a database of places, and a proxy in front that says where people are."""
    settings = {
        "jobs__in_process": "yes",
        "geoip__file": str(write_places(tmp_path / "City.mmdb")),
        "http__trusted_proxies": "127.0.0.1/32",
        **FAST_HASHES,
    }
    async with running_gateway(database_urls, tmp_path, **settings) as running:
        yield running


class TestDeviceName:
    @pytest.mark.parametrize(
        ("user_agent", "name"),
        [
            (FIREFOX, "Firefox 128 on Linux"),
            (IPHONE, "Safari 17 on iPhone"),
            (MAC, "Safari 17 on macOS"),
            (EDGE, "Edge 126 on Windows"),
            (PIXEL, "Chrome 126 on Android"),
            ("curl/8.5.0", "curl 8"),
            ("python-httpx/0.28.1", "python-httpx 0.28.1"),
            ("<script>alert(1)</script>", ""),
            ("", ""),
        ],
    )
    def test_says_browser_and_system_as_people_do(self, user_agent: str, name: str) -> None:
        assert device_name(user_agent) == name


class TestANewDevice:
    async def test_is_told_in_the_language_and_the_time_zone_of_its_owner(
        self, placing_gateway: RunningGateway
    ) -> None:
        await account(placing_gateway, ADA, language="de")
        await placing_gateway.sql("UPDATE users SET time_zone = 'Europe/Berlin'")
        assert (await Browser(placing_gateway).log_in(ADA)).status_code == 200
        phone = Browser(placing_gateway, **{"User-Agent": IPHONE, "X-Forwarded-For": "192.0.2.77"})
        session = (await phone.log_in(ADA)).json()["session"]
        mail = (await Mailbox(placing_gateway).next_to(ADA)).replace("\r\n", "\n")
        opened = datetime.fromisoformat(session["created_at"])
        assert "Eine neue Anmeldung an Ihrem Konto" in mail
        assert "Gerät: Safari 17 on iPhone\nVon: Zürich, Schweiz, 192.0.2.0/24\n" in mail
        assert f"Zeit: {local_time(opened, 'Europe/Berlin', 'de')}" in mail
        assert "http://127.0.0.1:8000/console/#/sessions" in mail
        assert (session["device_name"], session["location"]) == ("Safari 17 on iPhone", "Zürich, Schweiz")
        assert len(await audited(placing_gateway, "new_device")) == 2

    async def test_is_no_news_at_the_first_sign_in_nor_when_it_is_known(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        await account(mailing_gateway, ADA)
        browser = Browser(mailing_gateway)
        for _ in range(2):
            assert (await browser.log_in(ADA)).status_code == 200
        assert (await browser.post("/auth/step-up", json={"password": PASSWORD})).status_code == 200
        await Browser(mailing_gateway, **{"User-Agent": IPHONE}).log_in(ADA)
        assert "Safari 17 on iPhone" in await mailbox.next_to(ADA)
        assert len(mailbox.to(ADA)) == 1

    async def test_is_told_again_of_a_browser_that_lost_its_cookies(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        await account(mailing_gateway, ADA)
        for _ in range(3):
            assert (await Browser(mailing_gateway).log_in(ADA)).status_code == 200
        await mailbox.next_to(ADA, count=2)

    async def test_is_a_script_once_for_each_program_and_network(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        await account(mailing_gateway, ADA)
        await Browser(mailing_gateway).log_in(ADA)
        for agent in ("backup/1.0", "backup/1.0", "report/2.0"):
            assert (await _token(mailing_gateway, agent)).status_code == 200
        assert "report 2.0" in await mailbox.next_to(ADA, count=2)
        assert len(mailbox.to(ADA)) == 2
        assert len(await mailing_gateway.sql("SELECT 1 FROM devices")) == 1


class TestMyDevices:
    async def test_are_listed_and_this_one_marked(self, gateway: RunningGateway, browser: Browser) -> None:
        await account(gateway, ADA)
        await browser.log_in(ADA)
        await Browser(gateway, **{"User-Agent": IPHONE}).log_in(ADA)
        found = (await browser.get("/auth/devices")).json()["items"]
        assert [(each["name"], each["current"]) for each in found] == [
            ("Safari 17 on iPhone", False),
            ("Firefox 128 on Linux", True),
        ]

    async def test_are_new_again_when_they_were_forgotten(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        await account(mailing_gateway, ADA)
        browser = Browser(mailing_gateway)
        await browser.log_in(ADA)
        (device,) = (await browser.get("/auth/devices")).json()["items"]
        assert (await browser.delete(f"/auth/devices/{device['id']}")).status_code == 204
        assert (await browser.get("/auth/devices")).json()["items"] == []
        assert (await browser.get("/users/me")).status_code == 200
        assert len(await audited(mailing_gateway, "device_forgotten")) == 1
        await browser.log_in(ADA)
        assert "Firefox 128 on Linux" in await mailbox.next_to(ADA)

    async def test_are_nobody_elses(self, gateway: RunningGateway, browser: Browser) -> None:
        await account(gateway, ADA)
        await account(gateway, "eve@example.org")
        await browser.log_in(ADA)
        (device,) = (await browser.get("/auth/devices")).json()["items"]
        eve = Browser(gateway)
        await eve.log_in("eve@example.org")
        refused = await eve.delete(f"/auth/devices/{device['id']}")
        assert (refused.status_code, refused.json()["code"]) == (404, "device_not_found")
        assert len((await browser.get("/auth/devices")).json()["items"]) == 1
        again = await browser.delete(f"/auth/devices/{device['id']}")
        assert again.status_code == 204


class TestLocalTime:
    @pytest.mark.parametrize(
        ("zone", "language", "text"),
        [
            ("Europe/Berlin", "de", "01.03.2026 10:15 CET (Europe/Berlin)"),
            ("America/New_York", "en", "2026-03-01 04:15 EST (America/New_York)"),
            ("UTC", "en", "2026-03-01 09:15 UTC"),
            ("Nowhere/Else", "en", "2026-03-01 09:15 UTC"),
        ],
    )
    def test_is_that_of_the_person(self, zone: str, language: Language, text: str) -> None:
        assert local_time(datetime(2026, 3, 1, 9, 15, tzinfo=UTC), zone, language) == text


async def _token(gateway: RunningGateway, agent: str) -> httpx.Response:
    async with gateway.client() as client:
        client.headers["User-Agent"] = agent
        form = {"grant_type": "password", "username": ADA, "password": PASSWORD}
        return await client.post("/api/v1/auth/token", data=form)
