"""`/admin/mandates`: the installation's administrators, and nobody else, with all mandates."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import httpx

from modules.shared.ids import MandateId
from tests.mandates.conftest import House
from tests.support.gateway import Person

BOSS = "boss@example.org"


async def call(
    house: House,
    method: str,
    path: str = "",
    by: Person | None = None,
    *,
    json: object = None,
    params: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    async with house.gateway.client(by or house.operator) as client:
        return await client.request(method, f"/api/v1/admin/mandates{path}", json=json, params=params, headers=headers)


async def created(house: House, slug: str = "new", **document: object) -> dict[str, Any]:
    answer = await call(house, "POST", json={"slug": slug, "name": slug.title(), **document})
    assert answer.status_code == 201, answer.text
    mandate: dict[str, Any] = answer.json()
    return mandate


class TestGuards:
    async def test_refuse_everybody_without_the_role_sysadmin(self, house: House) -> None:
        flag_only = await house.gateway.person(sysadmin=True)
        for person in (house.administrator, house.member, flag_only):
            for method, path, document in (
                ("GET", "", None),
                ("POST", "", {"slug": "mine", "name": "Mine"}),
                ("GET", f"/{house.mandate}", None),
                ("PATCH", f"/{house.mandate}", {"name": "Mine"}),
                ("POST", f"/{house.mandate}/disable", None),
                ("POST", f"/{house.mandate}/enable", None),
                ("DELETE", f"/{house.mandate}?slug=acme", None),
                ("POST", f"/{house.mandate}/restore", None),
            ):
                answer = await call(house, method, path, by=person, json=document)
                assert answer.status_code == 403, (person.email, method, path)


class TestListMandates:
    async def test_shows_all_with_their_members(self, house: House) -> None:
        page = (await call(house, "GET")).json()
        assert [(each["slug"], each["members"]) for each in page["items"]] == [("acme", 2), ("root", 1), ("other", 1)]

    async def test_searches_and_filters(self, house: House) -> None:
        await call(house, "POST", f"/{house.mandate}/disable")
        for query, slugs in (({"q": "ACM"}, ["acme"]), ({"enabled": "false"}, ["acme"]), ({"q": "_"}, [])):
            page = (await call(house, "GET", params=query)).json()
            assert [each["slug"] for each in page["items"]] == slugs, query


class TestCreateMandate:
    async def test_appoints_a_person_with_an_account_at_once(self, house: House) -> None:
        boss = await house.gateway.person(BOSS)
        mandate = await created(house, administrator="Boss@example.org")
        mandate_id = MandateId(mandate["id"])
        assert (await house.call(boss, "PATCH", "/mandate", mandate_id, json={"name": "Mine"})).status_code == 200
        assert "mandate_created" in await house.audited(await house.gateway.root())
        assert {"mandate_created", "member_added"} <= set(await house.audited(mandate_id))

    async def test_invites_a_person_without_an_account(self, house: House) -> None:
        mandate = await created(house, administrator=BOSS)
        secret, boss = await house.secret_for(BOSS), await house.gateway.person(BOSS)
        async with house.gateway.client(boss) as client:
            answer = await client.post("/api/v1/invitations/accept", json={"token": secret})
        assert answer.status_code == 200, answer.text
        mandate_id = MandateId(mandate["id"])
        made = await house.call(boss, "POST", "/roles", mandate_id, json={"name": "Clerk"})
        assert made.status_code == 201, made.text

    async def test_appoints_nobody_when_the_inviter_lost_the_role_meanwhile(self, house: House) -> None:
        mandate = await created(house, administrator=BOSS)
        secret, boss = await house.secret_for(BOSS), await house.gateway.person(BOSS)
        await house.gateway.sql(
            "DELETE FROM role_assignments WHERE role_id = :role", role=await house.gateway.role("sysadmin")
        )
        async with house.gateway.client(boss) as client:
            answer = await client.post("/api/v1/invitations/accept", json={"token": secret})
        assert (answer.status_code, answer.json()["code"]) == (409, "invitation_stale")
        members = await house.gateway.sql("SELECT 1 FROM memberships WHERE mandate_id = :id", id=mandate["id"])
        assert members == []

    async def test_gives_a_mandate_its_own_caps(self, house: House) -> None:
        mandate = await created(house)
        roles = await house.gateway.sql("SELECT key FROM roles WHERE mandate_id = :id", id=mandate["id"])
        assert roles == [{"key": "everyone"}]

    async def test_refuses_a_slug_that_is_taken_or_none(self, house: House) -> None:
        answer = await call(house, "POST", json={"slug": "acme", "name": "Again"})
        assert (answer.status_code, answer.json()["code"]) == (409, "mandate_slug_taken")
        for slug in ("A", "-a", "a b", "a" * 64, ""):
            answer = await call(house, "POST", json={"slug": slug, "name": "None"})
            assert answer.status_code == 422, slug


class TestUpdateMandate:
    async def test_renames(self, house: House) -> None:
        answer = await call(house, "PATCH", f"/{house.mandate}", json={"slug": "acme2", "name": "Acme 2"})
        assert (answer.json()["slug"], answer.json()["name"]) == ("acme2", "Acme 2")
        taken = await call(house, "PATCH", f"/{house.mandate}", json={"slug": "other"})
        assert (taken.status_code, taken.json()["code"]) == (409, "mandate_slug_taken")

    async def test_takes_a_login_policy_away_but_gives_none(self, house: House) -> None:
        policy = {"authorities": ["local"]}
        await house.call(house.administrator, "PATCH", "/mandate", json={"login_policy": policy})
        refused = await call(house, "PATCH", f"/{house.mandate}", json={"login_policy": policy})
        assert refused.status_code == 422
        answer = await call(house, "PATCH", f"/{house.mandate}", json={"login_policy": None})
        assert answer.json()["login_policy"] is None

    async def test_refuses_a_stale_version(self, house: House) -> None:
        answer = await call(house, "PATCH", f"/{house.mandate}", json={"name": "X"}, headers={"If-Match": '"9"'})
        assert answer.status_code == 412

    async def test_is_not_found_when_there_is_none(self, house: House) -> None:
        for method, path in (("GET", ""), ("POST", "/disable"), ("POST", "/restore")):
            answer = await call(house, method, f"/{uuid4()}{path}")
            assert (answer.status_code, answer.json()["code"]) == (404, "mandate_not_found")


class TestDisableMandate:
    async def test_lets_nobody_in_with_the_next_request_until_enabled(self, house: House) -> None:
        for _ in range(2):
            assert (await call(house, "POST", f"/{house.mandate}/disable")).json()["enabled"] is False
        assert (await house.call(house.member, "GET", "/mandate")).json()["code"] == "not_a_member"
        for _ in range(2):
            assert (await call(house, "POST", f"/{house.mandate}/enable")).json()["disabled_at"] is None
        assert (await house.call(house.member, "GET", "/mandate")).status_code == 200
        assert await house.audited() == ["mandate_disabled", "mandate_enabled"]

    async def test_is_refused_for_the_root_mandate(self, house: House) -> None:
        root = await house.gateway.root()
        for method, path in (("POST", f"/{root}/disable"), ("DELETE", f"/{root}?slug=root")):
            answer = await call(house, method, path)
            assert (answer.status_code, answer.json()["code"]) == (409, "root_mandate_stays")


class TestDeleteMandate:
    async def test_asks_for_the_slug_and_for_a_disabled_mandate(self, house: House) -> None:
        path = f"/{house.mandate}"
        wrong = await call(house, "DELETE", path, params={"slug": "Acme"})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "wrong_confirmation")
        enabled = await call(house, "DELETE", path, params={"slug": "acme"})
        assert (enabled.status_code, enabled.json()["code"]) == (409, "mandate_still_enabled")

    async def test_begins_a_grace_in_which_it_can_be_restored(self, house: House) -> None:
        path = f"/{house.mandate}"
        await call(house, "POST", f"{path}/disable")
        deleted = await call(house, "DELETE", path, params={"slug": "acme"})
        assert (deleted.status_code, deleted.json()["delete_after"] is not None) == (202, True)
        again = await call(house, "DELETE", path, params={"slug": "acme"})
        assert again.json()["delete_after"] == deleted.json()["delete_after"]
        refused = await call(house, "POST", f"{path}/enable")
        assert (refused.status_code, refused.json()["code"]) == (409, "mandate_being_deleted")
        await house.erase_due()
        restored = await call(house, "POST", f"{path}/restore")
        assert (restored.json()["delete_after"], restored.json()["enabled"]) == (None, False)
        assert (await call(house, "POST", f"{path}/enable")).status_code == 200

    async def test_erases_everything_of_it_when_the_grace_is_over_and_nothing_else(self, house: House) -> None:
        instance = await house.made(house.administrator, "/instances", feature="invoices", name="Main")
        group = await house.made(house.administrator, "/groups", name="Team")
        await house.call(house.administrator, "PUT", f"/groups/{group['id']}/members/{house.member.id}")
        role = await house.made(house.administrator, "/roles", name="Bookkeeper", instance_id=instance["id"])
        access = f"/instances/{instance['id']}/access/{house.member.id}"
        await house.call(house.administrator, "PUT", access, json={"role_ids": [role["id"]]})
        await house.made(house.administrator, "/invitations", email=BOSS)
        await call(house, "POST", f"/{house.mandate}/disable")
        await call(house, "DELETE", f"/{house.mandate}", params={"slug": "acme"})
        await house.gateway.sql("UPDATE mandates SET delete_after = now() WHERE id = :id", id=house.mandate)
        await house.erase_due()
        for table in await _tables_of_mandates(house):
            left = await house.gateway.sql(f"SELECT 1 FROM {table} WHERE mandate_id = :id", id=house.mandate)
            assert (table, left) == (table, [])
        assert (await call(house, "GET", f"/{house.mandate}")).status_code == 404
        assert (await house.call(house.stranger, "GET", "/mandate")).status_code == 200
        assert "mandate_erased" in await house.audited(await house.gateway.root())


async def _tables_of_mandates(house: House) -> list[str]:
    """All tables with `mandate_id` but the trail, which keeps what happened."""
    rows = await house.gateway.sql(
        "SELECT c.table_name FROM information_schema.columns c"
        " JOIN information_schema.tables t USING (table_schema, table_name)"
        " WHERE c.table_schema = 'public' AND c.column_name = 'mandate_id' AND t.table_type = 'BASE TABLE'"
    )
    return [row["table_name"] for row in rows if not row["table_name"].startswith("audit_")]
