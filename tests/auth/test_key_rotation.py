"""Keys: made once, rotated unnoticed, retired at once when somebody else may have them."""

import asyncio
from pathlib import Path

from modules.auth.keys import KeyAlgorithm, KeyPurpose
from modules.auth.sealing import MasterKey
from modules.auth.service.key_rotation import KeyRotation
from modules.auth.service.keys import KeyStore
from modules.shared.database import Database
from tests.auth.people import Browser, audited, signed_in
from tests.support.gateway import RunningGateway
from tests.support.postgres import DatabaseUrls


async def states(gateway: RunningGateway, purpose: str = "access") -> list[str]:
    query = "SELECT state FROM signing_keys WHERE purpose = :purpose ORDER BY created_at"
    return [row["state"] for row in await gateway.sql(query, purpose=purpose)]


async def let_time_pass(gateway: RunningGateway, interval: str) -> None:
    columns = ("created_at", "activated_at")
    changes = ", ".join(f"{column} = {column} - interval '{interval}'" for column in columns)
    await gateway.sql(f"UPDATE signing_keys SET {changes}")


class TestFirstKeys:
    async def test_are_made_once_by_several_processes_at_once(
        self, database_urls: DatabaseUrls, tmp_path: Path
    ) -> None:
        master = MasterKey.load_or_create(tmp_path / "master.key")
        async with Database(database_urls.app, database_urls.system) as database:
            stores = [KeyStore(database, master, algorithm=KeyAlgorithm.HS256) for _ in range(4)]
            rings = await asyncio.gather(*(store.load() for store in stores))
        assert len({tuple(key.kid for key in ring.keys) for ring in rings}) == 1
        assert {key.purpose for key in rings[0].keys} == set(KeyPurpose)


class TestRotate:
    async def test_publishes_first_and_signs_a_minute_later(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org", sysadmin=True)
        rotation = gateway.services.get(KeyRotation)
        assert (await browser.post("/admin/system/keys/rotate", json={})).status_code == 200
        await rotation.advance()
        assert await states(gateway) == ["signing", "next"]
        await let_time_pass(gateway, "2 minutes")
        await rotation.advance()
        assert await states(gateway) == ["verify", "signing"]

    async def test_is_noticed_by_nobody(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org", sysadmin=True)
        rotation = gateway.services.get(KeyRotation)
        await rotation.rotate(None)
        await let_time_pass(gateway, "2 minutes")
        await rotation.advance()
        assert (await browser.get("/users/me")).status_code == 200
        assert (await browser.post("/auth/refresh")).status_code == 200
        assert (await browser.get("/users/me")).status_code == 200
        used = {key["kid"]: key["state"] for key in (await browser.get("/admin/system/keys")).json()["items"]}
        assert list(used.values()).count("signing") == len(KeyPurpose)

    async def test_still_answers_a_lost_refresh_of_before(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        former = browser.cookie("refresh_token")
        first = await browser.post("/auth/refresh")
        rotation = gateway.services.get(KeyRotation)
        await rotation.rotate(None)
        await let_time_pass(gateway, "2 minutes")
        await rotation.advance()
        again = Browser(gateway)
        again.cookies.set("refresh_token", former, domain="127.0.0.1")
        answer = await again.post("/auth/refresh")
        assert answer.cookies["refresh_token"] == first.cookies["refresh_token"]

    async def test_retires_keys_when_all_they_signed_has_expired(self, gateway: RunningGateway) -> None:
        rotation = gateway.services.get(KeyRotation)
        await rotation.rotate(None)
        await let_time_pass(gateway, "2 minutes")
        await rotation.advance()
        await let_time_pass(gateway, "20 minutes")
        await rotation.advance()
        assert await states(gateway) == ["retired", "signing"]
        assert await states(gateway, "refresh") == ["verify", "signing"]
        await let_time_pass(gateway, "31 days")
        await rotation.advance()
        assert await states(gateway, "refresh") == ["retired", "signing"]
        assert await states(gateway, "data") == ["verify", "signing"]

    async def test_is_one_at_a_time(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org", sysadmin=True)
        await browser.post("/admin/system/keys/rotate", json={})
        answer = await browser.post("/admin/system/keys/rotate", json={})
        assert (answer.status_code, answer.json()["code"]) == (409, "rotation_under_way")

    async def test_needs_a_recent_sign_in_and_the_flag(self, gateway: RunningGateway) -> None:
        ordinary = await signed_in(gateway, "bob@example.org")
        assert (await ordinary.post("/admin/system/keys/rotate", json={})).status_code == 403
        browser = await signed_in(gateway, "ada@example.org", sysadmin=True)
        await gateway.sql("UPDATE sessions SET authenticated_at = now() - interval '11 minutes'")
        answer = await browser.post("/admin/system/keys/rotate", json={})
        assert answer.json()["code"] == "step_up_required"


class TestRotateCompromised:
    async def test_retires_at_once_and_ends_every_session(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org", sysadmin=True)
        other = await signed_in(gateway, "bob@example.org")
        answer = await browser.post("/admin/system/keys/rotate", json={"compromised": True})
        assert answer.status_code == 200
        assert await states(gateway) == ["retired", "signing"]
        for each in (browser, other):
            assert (await each.get("/users/me")).status_code == 401
            assert (await each.post("/auth/refresh")).status_code == 401
        assert (await other.log_in("bob@example.org")).status_code == 200
        assert (await audited(gateway, "key_rotated"))[0]["details"] == {"compromised": True, "sessions": 2}

    async def test_keeps_what_was_sealed_readable(self, gateway: RunningGateway) -> None:
        await gateway.services.get(KeyRotation).rotate(None, compromised=True)
        assert await states(gateway, "data") == ["verify", "signing"]
