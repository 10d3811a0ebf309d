"""What host applications get: the caller's own token, fresh, and nobody else's."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.responses import JSONResponse

from modules.connections.errors import ConnectionNotFound, ConnectionSuspended, OfflineConsentMissing
from modules.shared.ids import new_id
from tests.auth.people import FAST_HASHES, Mailbox, audited, signed_in
from tests.auth.providers import PEER, settings_of
from tests.connections.conftest import SETTINGS
from tests.connections.owners import Owner, age, host, new_owner, run_jobs
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.openid_peer import OpenIdPeer
from tests.support.postgres import DatabaseUrls
from tests.support.waiting import eventually

HOUR = timedelta(hours=1)


async def run_out(gateway: RunningGateway) -> None:
    """Let every access token run out."""
    await age(gateway, "expires_at", HOUR)


class TestAToken:
    async def test_is_the_same_until_it_runs_out(self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer) -> None:
        await ada.connect()
        assert await ada.token() == await ada.token() == peer.data.access[0]
        await run_out(gateway)
        assert await ada.token() == await ada.token() == peer.data.access[1]
        (listed,) = await ada.connections()
        assert listed["scopes"] == ["openid", "calendar"]
        rows = await gateway.sql("SELECT id FROM tokens WHERE purpose = 'data_connection'")
        assert len(rows) == len(peer.data.refreshed) + 1 == 2

    async def test_is_refreshed_with_the_newest_refresh_token(
        self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer
    ) -> None:
        await ada.connect()
        for _ in range(3):
            await run_out(gateway)
            await ada.token()
        assert len(set(peer.data.refreshed)) == 3

    async def test_is_refreshed_with_the_same_one_where_the_provider_gives_no_other(
        self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer
    ) -> None:
        peer.data.rotates = False
        await ada.connect()
        for _ in range(3):
            await run_out(gateway)
            await ada.token()
        assert (len(peer.data.refreshed), len(set(peer.data.refreshed))) == (3, 1)

    async def test_is_refreshed_once_for_twenty_who_ask_at_once(
        self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer
    ) -> None:
        await ada.connect()
        await run_out(gateway)
        peer.wrong.delay = 0.2
        tokens = await asyncio.gather(*(ada.token() for _ in range(20)))
        assert set(tokens) == {peer.data.access[1]}
        assert len(peer.data.refreshed) == 1

    async def test_is_refreshed_once_by_several_processes(
        self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer, database_urls: DatabaseUrls, tmp_path: Path
    ) -> None:
        await ada.connect(offline=True)
        await run_out(gateway)
        peer.wrong.delay = 0.2
        chosen = {**settings_of(peer, **SETTINGS), **FAST_HASHES}
        async with running_gateway(database_urls, tmp_path, app=host(), **chosen) as other:
            there = Owner(other, ada.browser, ada.id, ada.mandate_id, ada.membership_id, ada.email)
            asked = [owner.background_token() for owner in (ada, there) for _ in range(10)]
            tokens = await asyncio.gather(*asked)
        assert set(tokens) == {peer.data.access[1]}
        assert len(peer.data.refreshed) == 1

    async def test_is_kept_though_whoever_asked_went_away(
        self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer
    ) -> None:
        await ada.connect(offline=True)
        await run_out(gateway)
        peer.wrong.delay = 0.3
        asking = asyncio.create_task(ada.background_token())
        await eventually(lambda: peer.asked.count("token") == 2)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await ada.background_token() == peer.data.access[1]
        assert len(peer.data.refreshed) == 1

    async def test_that_an_operator_ends_meanwhile_has_no_successor(
        self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer
    ) -> None:
        operator = await signed_in(gateway, "operator@example.org", sysadmin=True)
        await ada.connect()
        await run_out(gateway)
        (row,) = await gateway.sql("SELECT token_id FROM connections")
        peer.wrong.delay = 0.8
        asking = asyncio.create_task(ada.code())
        await eventually(lambda: peer.asked.count("token") == 2)
        assert (await operator.delete(f"/admin/system/tokens/{row['token_id']}")).status_code == 204
        assert await asking == (409, "connection_broken")
        assert [each["state"] for each in await ada.connections()] == ["broken"]
        assert len(peer.data.refreshed) == 1

    async def test_is_nobody_elses_whatever_their_level(self, gateway: RunningGateway, ada: Owner) -> None:
        await ada.connect()
        boss = await new_owner(gateway, "boss@example.org", ada.mandate_id, "administrator")
        assert [each["user_id"] for each in await boss.connections()] == [str(ada.id)]
        assert await boss.code() == (404, "connection_not_found")

    async def test_is_the_mandates_in_which_it_was_connected(self, gateway: RunningGateway, ada: Owner) -> None:
        await ada.connect()
        elsewhere = await ada.in_mandate(await gateway.mandate("baltic"))
        assert await elsewhere.code() == (404, "connection_not_found")
        assert await elsewhere.connections() == []

    async def test_takes_the_right_to_read_connections(self, gateway: RunningGateway, ada: Owner) -> None:
        await ada.connect()
        await gateway.sql("DELETE FROM role_assignments WHERE membership_id = :id", id=ada.membership_id)
        assert await ada.code() == (403, "permission_denied")

    async def test_of_an_unknown_provider_is_not_found(self, ada: Owner) -> None:
        answer = await ada.ask("google")
        assert (answer.status_code, answer.json()["code"]) == (404, "connection_provider_not_found")


class TestWhenTheProvider:
    async def test_is_away_nothing_is_lost(self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer) -> None:
        await ada.connect()
        before = await gateway.sql("SELECT * FROM connections")
        await run_out(gateway)
        peer.wrong.token_answer = lambda _: JSONResponse({"error": "server_error"}, status_code=500)
        answer = await ada.ask()
        assert (answer.status_code, answer.json()["code"]) == (503, "provider_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        (after,) = await gateway.sql("SELECT * FROM connections")
        assert (after["sealed_tokens"], after["state"]) == (before[0]["sealed_tokens"], "active")
        peer.wrong.token_answer = None
        peer.data.refresh.add(peer.data.refreshed[-1])
        assert await ada.token() == peer.data.access[-1]

    @pytest.mark.parametrize("error", ["invalid_client", "temporarily_unavailable", "invalid_scope"])
    async def test_blames_us_the_connection_stays(
        self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer, error: str
    ) -> None:
        await ada.connect()
        await run_out(gateway)
        peer.wrong.token_answer = lambda _: JSONResponse({"error": error}, status_code=400)
        assert await ada.code() == (503, "provider_unavailable")
        assert (await ada.connections())[0]["state"] == "active"

    @pytest.mark.parametrize("answer", [{}, {"access_token": "x"}, {"access_token": "x", "token_type": "mac"}])
    async def test_answers_nonsense_the_connection_stays(
        self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer, answer: dict[str, str]
    ) -> None:
        await ada.connect()
        await run_out(gateway)
        peer.wrong.token_answer = lambda _: JSONResponse(answer)
        assert await ada.code() == (503, "provider_unavailable")

    async def test_is_slow_the_old_token_serves_while_it_is_good(
        self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer
    ) -> None:
        peer.data.lifetime = 30
        await ada.connect()
        peer.wrong.token_answer = lambda _: JSONResponse({"error": "server_error"}, status_code=500)
        assert await ada.token() == peer.data.access[0]

    async def test_has_ended_it_the_owner_is_told_once(
        self, database_urls: DatabaseUrls, tmp_path: Path, peer: OpenIdPeer
    ) -> None:
        chosen = {**settings_of(peer, **SETTINGS), **FAST_HASHES, "jobs.in_process": "yes"}
        async with running_gateway(database_urls, tmp_path, app=host(), **chosen) as gateway:
            ada = await new_owner(gateway, "ada@example.org", await gateway.mandate("alpine", "Alpine"))
            await ada.connect()
            await run_out(gateway)
            peer.data.refresh.clear()
            assert await ada.code() == (409, "connection_broken")
            assert await ada.code() == (409, "connection_broken")
            assert len(peer.data.refreshed) == 1
            assert (await ada.connections())[0]["state"] == "broken"
            mailbox = Mailbox(gateway)
            assert "Alpine" in await mailbox.next_to("ada@example.org")
            assert len(await audited(gateway, "connection_broken")) == 1
            await ada.connect()
            assert await ada.token() == peer.data.access[-1]
            assert len([mail for mail in mailbox.to("ada@example.org") if "Alpine" in mail]) == 1

    async def test_gave_no_refresh_token_it_ends_with_the_access_token(
        self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer
    ) -> None:
        peer.wrong.token_answer = lambda given: JSONResponse(
            {name: value for name, value in given.items() if name != "refresh_token"}
        )
        await ada.connect()
        assert await ada.token() == peer.data.access[0]
        await run_out(gateway)
        assert await ada.code() == (409, "connection_broken")
        assert peer.data.refreshed == []


class TestInTheBackground:
    async def test_takes_the_owners_consent(self, ada: Owner) -> None:
        await ada.connect()
        with pytest.raises(OfflineConsentMissing):
            await ada.background_token()

    async def test_is_audited(self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer) -> None:
        await ada.connect(offline=True)
        await ada.browser.post("/auth/logout")
        assert await ada.background_token() == peer.data.access[0]
        (event,) = await audited(gateway, "connection_used_in_background")
        assert (event["mandate_id"], event["actor_id"]) == (ada.mandate_id, None)
        assert event["details"] == {"provider": PEER, "user_id": str(ada.id)}

    async def test_ends_with_the_membership(self, gateway: RunningGateway, ada: Owner) -> None:
        await ada.connect(offline=True)
        await gateway.sql("UPDATE memberships SET enabled = false WHERE id = :id", id=ada.membership_id)
        with pytest.raises(ConnectionSuspended):
            await ada.background_token()

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE users SET state = 'disabled' WHERE email = 'ada@example.org'",
            "UPDATE users SET delete_after = now() WHERE email = 'ada@example.org'",
            "UPDATE mandates SET enabled = false WHERE slug = 'alpine'",
            "UPDATE memberships SET valid_until = now()",
            "DELETE FROM memberships",
        ],
    )
    async def test_ends_with_whatever_ends_the_owner_there(
        self, gateway: RunningGateway, ada: Owner, change: str
    ) -> None:
        await ada.connect(offline=True)
        await gateway.sql("DELETE FROM role_assignments")
        await gateway.sql(change)
        with pytest.raises(ConnectionSuspended):
            await ada.background_token()

    async def test_is_for_one_mandate_and_one_person(self, gateway: RunningGateway, ada: Owner) -> None:
        await ada.connect(offline=True)
        baltic = await gateway.mandate("baltic")
        for owner in (await ada.in_mandate(baltic), await new_owner(gateway, "bob@example.org", ada.mandate_id)):
            with pytest.raises(ConnectionNotFound):
                await owner.background_token()
        nobody = Owner(gateway, ada.browser, ada.id, ada.mandate_id, new_id(), "")
        assert await nobody.background_token()


class TestAnOperator:
    async def test_ends_it_by_ending_its_token(self, gateway: RunningGateway, ada: Owner) -> None:
        await ada.connect()
        await gateway.sql("UPDATE tokens SET revoked_at = now() WHERE purpose = 'data_connection'")
        assert await ada.code() == (409, "connection_broken")
        assert (await ada.connections())[0]["state"] == "broken"
        await run_jobs(gateway)
        await gateway.sql("DELETE FROM tokens WHERE purpose = 'data_connection'")
        assert await ada.code() == (409, "connection_broken")
