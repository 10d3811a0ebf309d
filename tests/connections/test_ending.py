"""How connections end: by a person, with the membership, the user or the mandate; and always at the provider, too."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from starlette.responses import JSONResponse, Response

from modules.auth.service.clean_up import CleanUp
from modules.connections.service.endings import ConnectionEndings
from modules.mandates.service.erasure import MandateErasures
from tests.auth.people import FAST_HASHES, audited
from tests.auth.providers import settings_of
from tests.connections.conftest import SETTINGS
from tests.connections.owners import Owner, age, host, new_owner, run_jobs
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.openid_peer import OpenIdPeer
from tests.support.postgres import DatabaseUrls
from tests.support.waiting import eventually

NEARLY, MONTH = timedelta(days=29, hours=23), timedelta(days=30, minutes=1)


async def erased(gateway: RunningGateway) -> bool:
    """Whether nothing of any connection is left."""
    rows = await gateway.sql("SELECT id FROM connections UNION ALL SELECT id FROM connection_endings")
    return rows == []


async def end_only(owner: Owner) -> None:
    (listed,) = await owner.connections()
    assert (await owner.browser.delete(f"/connections/{listed['id']}")).status_code == 204


class TestEnding:
    async def test_erases_at_once_and_revokes_at_the_provider(
        self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer
    ) -> None:
        await ada.connect()
        (refresh,) = peer.data.refresh
        await end_only(ada)
        assert await ada.connections() == []
        assert await ada.code() == (404, "connection_not_found")
        assert peer.data.revoked == []
        await run_jobs(gateway)
        assert peer.data.revoked == [refresh]
        assert await erased(gateway)
        (token,) = await gateway.sql("SELECT revoked_at FROM tokens WHERE purpose = 'data_connection'")
        assert token["revoked_at"] is not None
        assert len(await audited(gateway, "connection_ended")) == 1

    async def test_is_revoked_by_the_worker_soon(
        self, database_urls: DatabaseUrls, tmp_path: Path, peer: OpenIdPeer
    ) -> None:
        chosen = {**settings_of(peer, **SETTINGS), **FAST_HASHES, "jobs.in_process": "yes"}
        async with running_gateway(database_urls, tmp_path, app=host(), **chosen) as gateway:
            ada = await new_owner(gateway, "ada@example.org", await gateway.mandate("alpine"))
            await ada.connect()
            await end_only(ada)
            await eventually(lambda: len(peer.data.revoked) == 1)

    async def test_ends_nothing_else(self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer) -> None:
        elsewhere = await ada.in_mandate(await gateway.mandate("baltic"))
        await ada.connect()
        await elsewhere.connect()
        await end_only(ada)
        await run_jobs(gateway)
        assert (await ada.browser.get("/users/me")).status_code == 200
        assert await elsewhere.token() == peer.data.access[1]
        assert peer.data.revoked == []  # the same account: some providers would end the other one, too
        await end_only(elsewhere)
        await run_jobs(gateway)
        assert len(peer.data.revoked) == 1
        assert await erased(gateway)

    async def test_is_tried_again_while_the_provider_is_away(
        self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer
    ) -> None:
        await ada.connect()
        await end_only(ada)
        peer.data.revocation = lambda: Response(status_code=503)
        await run_jobs(gateway)
        await run_jobs(gateway)
        assert len(peer.data.revoked) == 1
        assert not await erased(gateway)
        peer.data.revocation = Response
        await gateway.sql("UPDATE connection_endings SET next_try_at = now()")
        await run_jobs(gateway)
        assert (len(peer.data.revoked), await erased(gateway)) == (2, True)

    @pytest.mark.parametrize("status", [400, 403, 503])
    async def test_erases_the_tokens_in_the_end_whatever_the_provider_says(
        self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer, status: int
    ) -> None:
        await ada.connect()
        await end_only(ada)
        peer.data.revocation = lambda: JSONResponse({"error": "unsupported_token_type"}, status_code=status)
        for _ in range(11):
            assert not await erased(gateway)
            await gateway.sql("UPDATE connection_endings SET next_try_at = now()")
            await run_jobs(gateway)
        assert await erased(gateway)

    async def test_is_ours_alone_where_the_provider_revokes_nothing(
        self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer
    ) -> None:
        peer.wrong.metadata = lambda told: {name: told[name] for name in told if name != "revocation_endpoint"}
        await ada.connect()
        await end_only(ada)
        await run_jobs(gateway)
        assert (peer.data.revoked, await erased(gateway)) == ([], True)

    @pytest.mark.parametrize("place", ["http://evil.test/revoke", "file:///etc/passwd", "ftp://127.0.0.1/"])
    async def test_sends_tokens_to_no_place_that_is_none(
        self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer, place: str
    ) -> None:
        peer.wrong.metadata = lambda told: {**told, "revocation_endpoint": place}
        await ada.connect()
        await end_only(ada)
        await run_jobs(gateway)
        assert (peer.data.revoked, await erased(gateway)) == ([], False)

    async def test_takes_a_token_that_is_gone_there_for_revoked(
        self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer
    ) -> None:
        await ada.connect()
        await end_only(ada)
        peer.data.revocation = lambda: JSONResponse({"error": "invalid_token"}, status_code=400)
        await run_jobs(gateway)
        assert await erased(gateway)

    async def test_is_for_the_owner_and_for_whoever_reaches_all(self, gateway: RunningGateway, ada: Owner) -> None:
        await ada.connect()
        (listed,) = await ada.connections()
        path = f"/connections/{listed['id']}"
        bob = await new_owner(gateway, "bob@example.org", ada.mandate_id)
        foreign = await new_owner(gateway, "eve@example.org", await gateway.mandate("baltic"), "administrator")
        boss = await new_owner(gateway, "boss@example.org", ada.mandate_id, "administrator")
        for other in (bob, foreign):
            answer = await other.browser.delete(path)
            assert (answer.status_code, answer.json()["code"]) == (404, "connection_not_found")
            assert await other.connections() == []
        assert (await boss.browser.delete(path)).status_code == 204
        assert await ada.connections() == []

    async def test_reaches_the_callers_groups_with_level_group(self, gateway: RunningGateway, ada: Owner) -> None:
        await ada.connect()
        clerk = await new_owner(gateway, "clerk@example.org", ada.mandate_id, "viewer")
        await give_rule(gateway, clerk, read=2)
        assert await clerk.connections() == []
        await share_group(gateway, ada, clerk)
        assert [each["user_id"] for each in await clerk.connections()] == [str(ada.id)]
        assert await clerk.code() == (404, "connection_not_found")


async def give_rule(gateway: RunningGateway, owner: Owner, *, read: int) -> None:
    """A role of the mandate that reads connections as far as that."""
    (role,) = await gateway.sql(
        "INSERT INTO roles (id, mandate_id, scope, name, version)"
        " VALUES (gen_random_uuid(), :mandate, 'mandate', 'clerk', gen_random_uuid()) RETURNING id",
        mandate=owner.mandate_id,
    )
    await gateway.sql(
        "INSERT INTO access_rules (id, mandate_id, role_id, kind, item, may_read)"
        " VALUES (gen_random_uuid(), :mandate, :role, 'RESOURCE', 'connections', :read)",
        mandate=owner.mandate_id,
        role=role["id"],
        read=read,
    )
    await gateway.give(owner.membership_id, owner.mandate_id, role["id"])


async def share_group(gateway: RunningGateway, *owners: Owner) -> UUID:
    """Put them into a new group."""
    mandate_id = owners[0].mandate_id
    (group,) = await gateway.sql(
        "INSERT INTO groups (id, mandate_id, name) VALUES (gen_random_uuid(), :mandate, 'sales') RETURNING id",
        mandate=mandate_id,
    )
    for owner in owners:
        await gateway.sql(
            "INSERT INTO group_members (mandate_id, group_id, user_id) VALUES (:mandate, :group, :user)",
            mandate=mandate_id,
            group=group["id"],
            user=owner.id,
        )
    return UUID(str(group["id"]))


class TestADisabledMembership:
    async def test_suspends_at_once_and_until_it_is_enabled(self, gateway: RunningGateway, ada: Owner) -> None:
        await ada.connect(offline=True)
        token = await ada.token()
        boss = await new_owner(gateway, "boss@example.org", ada.mandate_id, "administrator")
        await gateway.sql("UPDATE memberships SET enabled = false WHERE id = :id", id=ada.membership_id)
        assert await ada.code() == (403, "membership_disabled")
        assert (await boss.connections())[0]["state"] == "suspended"
        await run_jobs(gateway)
        await age(gateway, "suspended_at", NEARLY)
        await run_jobs(gateway)
        await gateway.sql("UPDATE memberships SET enabled = true WHERE id = :id", id=ada.membership_id)
        await run_jobs(gateway)
        assert await ada.token() == token
        assert (await gateway.sql("SELECT suspended_at FROM connections"))[0]["suspended_at"] is None

    async def test_erases_and_revokes_after_thirty_days(
        self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer
    ) -> None:
        bob = await new_owner(gateway, "bob@example.org", ada.mandate_id)
        await ada.connect()
        peer.person = {"sub": "bob"}
        await bob.connect()
        await gateway.sql("UPDATE memberships SET enabled = false WHERE id = :id", id=ada.membership_id)
        await run_jobs(gateway)
        await age(gateway, "suspended_at", NEARLY)
        await run_jobs(gateway)
        assert peer.data.revoked == []
        await age(gateway, "suspended_at", MONTH - NEARLY)
        await run_jobs(gateway)
        assert len(peer.data.revoked) == 1
        assert await bob.token() == peer.data.access[1]
        assert [row["user_id"] for row in await gateway.sql("SELECT user_id FROM connections")] == [bob.id]
        (event,) = await audited(gateway, "connection_erased")
        assert (event["mandate_id"], event["details"]["user_id"]) == (ada.mandate_id, str(ada.id))


class TestErasing:
    async def test_the_account_revokes_and_erases(self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer) -> None:
        await ada.connect()
        await gateway.sql("UPDATE users SET delete_after = now() - interval '1 second' WHERE id = :id", id=ada.id)
        await gateway.services.get(CleanUp).departed()
        assert await gateway.sql("SELECT id FROM connections") == []
        await gateway.services.get(ConnectionEndings).revoke_due()
        assert len(peer.data.revoked) == 1
        assert await erased(gateway)

    async def test_the_mandate_revokes_and_erases(self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer) -> None:
        await ada.connect()
        await gateway.sql(
            "UPDATE mandates SET enabled = false, disabled_at = now(), delete_after = now() WHERE id = :id",
            id=ada.mandate_id,
        )
        await gateway.services.get(MandateErasures).erase(ada.mandate_id)
        assert await gateway.sql("SELECT id FROM mandates WHERE id = :id", id=ada.mandate_id) == []
        await gateway.services.get(ConnectionEndings).revoke_due()
        assert len(peer.data.revoked) == 1
        assert await erased(gateway)

    async def test_is_shown_before_in_the_export(self, ada: Owner) -> None:
        await ada.connect()
        exported = (await ada.browser.get("/users/me/export")).json()
        (told,) = exported["connections"]
        assert (told["account"], told["mandate_id"]) == ("ada@provider.test", str(ada.mandate_id))
