"""What the settings make of the edge of the real application: hosts, deadlines, and refusals in the audit trail."""

import asyncio
from pathlib import Path

from fastapi import FastAPI
import httpx
from sqlalchemy import text

from gateway import RequestContext, require
from gateway.app import Gateway
from modules.audit.service import RefusalLog
from tests.support.gateway import RunningGateway, running_gateway, settings_for
from tests.support.postgres import DatabaseUrls

COOKIE = "auth_token=somebodys"


class TestAllowedHosts:
    async def test_are_served_beside_the_public_url(self, database_urls: DatabaseUrls, tmp_path: Path) -> None:
        allowed = running_gateway(database_urls, tmp_path, http__allowed_hosts="gateway.internal")
        async with allowed as running, running.client() as client:
            inside = await client.get("/api/v1/auth/methods", headers={"Host": "gateway.internal:8000"})
            foreign = await client.get("/api/v1/auth/methods", headers={"Host": "evil.example"})
        assert (inside.status_code, foreign.status_code) == (200, 421)


class TestRequestTimeout:
    async def test_rolls_back_and_gives_the_connection_back(self, database_urls: DatabaseUrls, tmp_path: Path) -> None:
        app = FastAPI()
        limits = {"http.request_timeout": "1500ms", "database.pool_size": "1", "database.max_overflow": "0"}
        chosen = {name.replace(".", "__"): value for name, value in limits.items()}
        gateway = Gateway(settings_for(database_urls, tmp_path, **chosen))
        gateway.declare_item("reports", label={"en": "Reports", "de": "Berichte"})

        @app.post("/reports")
        async def make_report(context: RequestContext = require("reports", "create")) -> None:
            await context.db.execute(
                text("UPDATE mandates SET name = 'half done' WHERE id = :id"), {"id": context.mandate.id}
            )
            await context.db.execute(text("SELECT pg_sleep(20)"))

        @app.post("/waits")
        async def wait(context: RequestContext = require("reports", "create")) -> None:
            await context.db.execute(text("SELECT 1"))
            await asyncio.sleep(20)

        async with running_gateway(database_urls, tmp_path, app=app, gateway=gateway) as running:
            ada, here = await running.person(), await running.mandate("here")
            await running.join(ada, here, "administrator")
            async with running.client(ada, here) as client:
                for path in ("/reports", "/waits", "/reports"):
                    answer = await client.post(path)
                    assert (answer.status_code, answer.json()["code"]) == (503, "timeout")
                assert (await client.get("/api/v1/context")).status_code == 200
            pool = running.database.app_engine.pool
            assert pool.checkedout() == 0  # type: ignore[attr-defined]  # a QueuePool
            assert await running.sql("SELECT name FROM mandates WHERE id = :id", id=here) == [{"name": "here"}]


class TestARefusalOfTheEdge:
    async def audited(self, running: RunningGateway) -> list[tuple[object, ...]]:
        await running.services.get(RefusalLog).flush()
        rows = await running.sql(
            "SELECT e.code, e.outcome, e.count, s.ip FROM audit_events e JOIN audit_subjects s ON s.event_id = e.id"
        )
        return [(row["code"], row["outcome"], row["count"], str(row["ip"])) for row in rows]

    async def test_is_audited_when_it_may_be_forged(self, running: RunningGateway) -> None:
        async with running.client() as client:
            for _ in range(2):
                answer = await client.post("/api/v1/auth/logout", headers={"Cookie": COOKIE})
                assert answer.json()["code"] == "csrf"
        assert await self.audited(running) == [("csrf", "refused", 2, "127.0.0.1")]

    async def test_is_audited_when_a_limit_is_used_up(self, database_urls: DatabaseUrls, tmp_path: Path) -> None:
        async with running_gateway(database_urls, tmp_path, rate_limits__default="1/hour") as running:
            async with running.client() as client:
                statuses = [(await client.get("/api/v1/auth/methods")).status_code for _ in range(3)]
            assert statuses == [200, 429, 429]
            assert await self.audited(running) == [("rate_limited", "refused", 2, "127.0.0.1")]

    async def test_is_audited_when_a_service_counts(self, database_urls: DatabaseUrls, tmp_path: Path) -> None:
        async with running_gateway(database_urls, tmp_path, rate_limits__login_per_address="1/hour") as running:
            async with running.client() as client:
                answers = [await self.sign_in(client) for _ in range(2)]
            assert answers == ["login_failed", "rate_limited"]
            assert ("rate_limited", "refused", 1, "127.0.0.1") in await self.audited(running)

    async def test_is_not_audited_when_it_is_a_slip(self, running: RunningGateway) -> None:
        async with running.client() as client:
            await client.get("/api/v1/auth/methods", headers={"Host": "elsewhere.example"})
            await client.get("/api/v1/nowhere")
        assert await self.audited(running) == []

    async def sign_in(self, client: httpx.AsyncClient) -> str:
        body = {"email": "ada@example.test", "password": "not the password"}
        answer = await client.post("/api/v1/auth/login", json=body, headers={"X-Requested-With": "test"})
        return str(answer.json()["code"])
