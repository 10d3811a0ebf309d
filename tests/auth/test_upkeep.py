"""What happens beside the requests: activity is noted, ended things are removed, partitions come and go."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy import text

from modules.auth.service.activity import ActivityService
from modules.auth.service.clean_up import CleanUp
from modules.shared.database import Database
from modules.shared.ids import SessionId, UserId, new_id
from tests.auth.people import signed_in
from tests.support.gateway import RunningGateway
from tests.support.postgres import DatabaseUrls


async def session_row(gateway: RunningGateway) -> dict[str, object]:
    return dict((await gateway.sql("SELECT * FROM sessions"))[0])


class TestActivity:
    async def test_writes_last_seen_once_a_minute(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        activity = gateway.services.get(ActivityService)
        before = (await session_row(gateway))["last_seen_at"]
        await browser.get("/users/me")
        await activity.flush()
        assert (await session_row(gateway))["last_seen_at"] == before
        await gateway.sql("UPDATE sessions SET last_seen_at = now() - interval '2 minutes'")
        await browser.get("/users/me")
        await activity.flush()
        assert (await gateway.sql("SELECT now() - last_seen_at AS age FROM sessions"))[0]["age"] < timedelta(minutes=1)

    async def test_confirms_the_generation_in_use(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        await browser.post("/auth/refresh")
        await browser.get("/users/me")
        await gateway.services.get(ActivityService).flush()
        assert (await session_row(gateway))["confirmed_generation"] == 2

    async def test_never_takes_a_confirmation_back(self, gateway: RunningGateway) -> None:
        await signed_in(gateway, "ada@example.org")
        session_id = SessionId((await session_row(gateway))["id"])  # type: ignore[arg-type]
        activity = gateway.services.get(ActivityService)
        for generation in (3, 1):
            activity.note(session_id, generation)
            await activity.flush()
        assert (await session_row(gateway))["confirmed_generation"] == 3

    async def test_makes_a_verified_user_active_at_the_first_entry(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org", state="verified")
        user_id = UserId((await gateway.sql("SELECT id FROM users"))[0]["id"])
        gateway.services.get(ActivityService).note_entered(user_id)
        await gateway.services.get(ActivityService).flush()
        assert (await browser.get("/users/me")).json()["state"] == "active"

    async def test_lets_nobody_disabled_in_again(self, gateway: RunningGateway) -> None:
        await signed_in(gateway, "ada@example.org")
        await gateway.sql("UPDATE users SET state = 'disabled'")
        user_id = UserId((await gateway.sql("SELECT id FROM users"))[0]["id"])
        gateway.services.get(ActivityService).note_entered(user_id)
        await gateway.services.get(ActivityService).flush()
        assert (await gateway.sql("SELECT state FROM users"))[0]["state"] == "disabled"

    async def test_does_not_wait_for_a_session_somebody_is_changing(self, gateway: RunningGateway) -> None:
        await signed_in(gateway, "ada@example.org")
        session_id = SessionId((await session_row(gateway))["id"])  # type: ignore[arg-type]
        activity = gateway.services.get(ActivityService)
        async with gateway.database.session() as session:
            await session.execute(text("SELECT id FROM sessions FOR UPDATE"))
            activity.note(session_id, 1)
            async with asyncio.timeout(2):
                await activity.flush()

    async def test_survives_a_database_that_is_away(
        self, gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        activity = ActivityService(gateway.database)
        activity.note(SessionId(new_id()), 1)

        def away(_: Database) -> None:
            raise ConnectionRefusedError

        monkeypatch.setattr(Database, "system_session", away)
        await activity.flush()


class TestExpired:
    async def test_removes_what_ended_a_month_ago_and_keeps_the_rest(self, gateway: RunningGateway) -> None:
        await signed_in(gateway, "ada@example.org")
        await signed_in(gateway, "bob@example.org")
        past = "now() - interval '31 days'"
        await gateway.sql(
            f"UPDATE sessions SET revoked_at = {past} FROM users u WHERE u.id = user_id AND u.email LIKE 'ada%'"
        )
        await gateway.sql(
            "INSERT INTO registrations (id, email, password_hash, language, flow_hash, created_at, expires_at)"
            " VALUES (gen_random_uuid(), 'x@example.org', '', 'en', '', now(), now() - interval '1 minute')"
        )
        await gateway.services.get(CleanUp).expired()
        emails = await gateway.sql("SELECT email FROM sessions s JOIN users u ON u.id = s.user_id")
        assert [row["email"] for row in emails] == ["bob@example.org"]
        assert await gateway.sql("SELECT * FROM registrations") == []
        refresh = await gateway.sql("SELECT count(*) AS n FROM tokens WHERE purpose = 'refresh'")
        assert refresh[0]["n"] == 1


PARTITIONS = (
    "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'access_tokens'::regclass ORDER BY 1"
)


class TestPartitions:
    async def test_exist_for_five_weeks_from_the_start(self, gateway: RunningGateway) -> None:
        names = [row["name"] for row in await gateway.sql(PARTITIONS)]
        assert len(names) == 6
        assert "access_tokens_default" in names

    async def test_take_the_tokens_of_their_week(self, gateway: RunningGateway) -> None:
        await signed_in(gateway, "ada@example.org")
        table = (await gateway.sql("SELECT tableoid::regclass::text AS name FROM access_tokens"))[0]["name"]
        monday = (await gateway.sql("SELECT to_char(date_trunc('week', now()), 'YYYYMMDD') AS day"))[0]["day"]
        assert table == f"access_tokens_{monday}"

    async def test_are_dropped_when_all_their_tokens_have_expired(
        self, gateway: RunningGateway, database_urls: DatabaseUrls
    ) -> None:
        owner = await asyncpg.connect(database_urls.owner)
        try:
            await owner.execute(
                "CREATE TABLE access_tokens_20200106 PARTITION OF access_tokens FOR VALUES"
                " FROM ('016f7856-0000-0000-0000-000000000000') TO ('016f9c62-0000-0000-0000-000000000000')"
            )
        finally:
            await owner.close()
        await gateway.services.get(CleanUp).partitions()
        names = [row["name"] for row in await gateway.sql(PARTITIONS)]
        assert "access_tokens_20200106" not in names
        assert len(names) == 6

    async def test_are_not_made_over_tokens_the_default_took(
        self, gateway: RunningGateway, database_urls: DatabaseUrls
    ) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        monday = (await gateway.sql("SELECT to_char(date_trunc('week', now()), 'YYYYMMDD') AS day"))[0]["day"]
        owner = await asyncpg.connect(database_urls.owner)
        try:
            await owner.execute(f"DROP TABLE access_tokens_{monday}")
        finally:
            await owner.close()
        await browser.post("/auth/refresh")
        await gateway.services.get(CleanUp).partitions()
        assert (await browser.get("/users/me")).status_code == 200
