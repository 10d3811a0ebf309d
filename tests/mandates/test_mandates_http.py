"""`/mandates` and `/mandate`: where one may work, and what its own people may change."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.mandates.conftest import House
from tests.mandates.test_members_http import rule
from tests.support.gateway import Person


async def own_mandates(house: House, person: Person) -> list[dict[str, Any]]:
    async with house.gateway.client(person) as client:
        items: list[dict[str, Any]] = (await client.get("/api/v1/mandates")).json()["items"]
        return items


class TestListMyMandates:
    async def test_shows_the_mandates_of_active_memberships_by_name(self, house: House) -> None:
        await house.gateway.join(house.member, house.foreign)
        assert [each["slug"] for each in await own_mandates(house, house.member)] == ["acme", "other"]
        assert [each["slug"] for each in await own_mandates(house, house.administrator)] == ["acme"]

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE memberships SET enabled = false WHERE user_id = :user",
            "UPDATE memberships SET valid_until = now() WHERE user_id = :user",
            "UPDATE memberships SET valid_from = now() + interval '1 day' WHERE user_id = :user",
            "UPDATE mandates SET enabled = (SELECT false FROM memberships WHERE user_id = :user) WHERE slug = 'acme'",
        ],
    )
    async def test_leaves_out_what_cannot_be_entered(self, house: House, change: str) -> None:
        await house.gateway.sql(change, user=house.member.id)
        assert await own_mandates(house, house.member) == []

    async def test_says_what_a_login_policy_still_wants(self, house: House) -> None:
        await house.gateway.sql(
            """UPDATE mandates SET login_policy = '{"second_factor": true}' WHERE id = :id""", id=house.mandate
        )
        assert [(each["wants"], each["wants_one_of"]) for each in await own_mandates(house, house.member)] == [
            ("mfa", [])
        ]

    async def test_continues_on_the_next_page(self, house: House) -> None:
        await house.gateway.join(house.member, house.foreign)
        async with house.gateway.client(house.member) as client:
            first = (await client.get("/api/v1/mandates", params={"limit": 1})).json()
            query = {"limit": 1, "cursor": first["next_cursor"]}
            second = (await client.get("/api/v1/mandates", params=query)).json()
        assert [page["items"][0]["slug"] for page in (first, second)] == ["acme", "other"]
        assert second["next_cursor"] is None


class TestUpdateMandate:
    async def test_changes_what_is_given_and_leaves_the_rest(self, house: House) -> None:
        before = (await house.call(house.member, "GET", "/mandate")).json()
        patch = {"name": "Acme & Sons", "color": "#00ff00"}
        after = (await house.call(house.administrator, "PATCH", "/mandate", json=patch)).json()
        assert after == {**before, **patch, "version": before["version"] + 1}
        assert "mandate_changed" in await house.audited()

    async def test_refuses_what_is_not_its_peoples_to_change(self, house: House) -> None:
        for patch in ({"slug": "mine"}, {"is_root": True}, {"enabled": False}, {"color": "red"}, {"name": " "}):
            answer = await house.call(house.administrator, "PATCH", "/mandate", json=patch)
            assert answer.status_code == 422, patch

    async def test_needs_the_permission(self, house: House) -> None:
        answer = await house.call(house.member, "PATCH", "/mandate", json={"name": "Mine"})
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")

    async def test_refuses_a_stale_version(self, house: House) -> None:
        for expected in (200, 412):
            answer = await house.call(
                house.administrator, "PATCH", "/mandate", json={"name": "Next"}, headers={"If-Match": '"1"'}
            )
            assert answer.status_code == expected

    async def test_changes_no_other_mandate(self, house: House) -> None:
        await house.call(house.administrator, "PATCH", "/mandate", json={"name": "Next"})
        assert (await house.call(house.stranger, "GET", "/mandate")).json()["name"] == "Other"


class TestLoginPolicy:
    async def save(self, house: House, person: Person, policy: dict[str, Any] | None) -> httpx.Response:
        return await house.call(person, "PATCH", "/mandate", json={"login_policy": policy})

    async def test_is_saved_when_ones_own_sign_in_meets_it_and_binds_others_at_once(self, house: House) -> None:
        answer = await self.save(
            house, house.administrator, {"email_domains": ["example.org"], "authorities": ["local"]}
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["login_policy"]["authorities"] == ["local"]
        outsider = await house.gateway.person("out@elsewhere.org")
        await house.gateway.join(outsider, house.mandate, "member")
        refused = await house.call(outsider, "GET", "/mandate")
        assert (refused.status_code, refused.json()["code"]) == (403, "login_method_not_allowed")
        assert await house.audited() == ["login_policy_changed"]

    async def test_is_refused_when_it_locks_out_whoever_saves_it(self, house: House) -> None:
        for policy in ({"authorities": ["google"]}, {"second_factor": True}, {"email_domains": ["other.org"]}):
            answer = await self.save(house, house.administrator, policy)
            assert (answer.status_code, answer.json()["code"]) == (409, "login_policy_locks_you_out"), policy
        assert (await house.call(house.administrator, "GET", "/mandate")).json()["login_policy"] is None

    async def test_is_refused_when_no_administrator_meets_it(self, house: House) -> None:
        settler = await house.gateway.person("set@settlers.org")
        membership = await house.gateway.join(settler, house.mandate)
        await house.gateway.give(
            membership, house.mandate, await house.own_role("Settler", rule("mandate", update="all"))
        )
        answer = await self.save(house, settler, {"email_domains": ["settlers.org"]})
        assert (answer.status_code, answer.json()["code"]) == (409, "login_policy_locks_all_out")
        both = await self.save(house, settler, {"email_domains": ["settlers.org", "example.org"]})
        assert both.status_code == 200, both.text

    async def test_counts_only_sign_ins_that_stand(self, house: House) -> None:
        settler = await house.person_with(rule("mandate", update="all"))
        policy = {"maximum_session_age": 60}
        old = timedelta(hours=2)
        await house.gateway.sql(
            "UPDATE sessions SET authenticated_at = authenticated_at - CAST(:old AS interval) WHERE user_id = :user",
            old=old,
            user=house.administrator.id,
        )
        assert (await self.save(house, settler, policy)).json()["code"] == "login_policy_locks_all_out"
        await house.gateway.sign_in(house.administrator.id, house.administrator.email)
        assert (await self.save(house, settler, policy)).status_code == 200

    async def test_counts_no_sign_in_of_a_provider_that_is_only_confirmed(self, house: House) -> None:
        settler = await house.person_with(rule("mandate", update="all"))
        await house.gateway.sql(
            "UPDATE sessions SET authority = 'google', proven_at = authenticated_at - interval '2 hours'"
            " WHERE user_id = :user",
            user=house.administrator.id,
        )
        assert (await self.save(house, settler, {"maximum_session_age": 150})).status_code == 200
        refused = await self.save(house, settler, {"maximum_session_age": 60})
        assert refused.json()["code"] == "login_policy_locks_all_out"

    async def test_can_be_taken_away(self, house: House) -> None:
        await self.save(house, house.administrator, {"authorities": ["local"]})
        answer = await self.save(house, house.administrator, None)
        assert (answer.status_code, answer.json()["login_policy"]) == (200, None)

    async def test_refuses_words_that_name_nothing(self, house: House) -> None:
        policies: tuple[dict[str, Any], ...] = (
            {"authorities": []},
            {"authorities": ["x" * 100]},
            {"email_domains": ["example"]},
            {"maximum_session_age": 0},
            {"password": True},
            {"email_domains": [f"d{number}.org" for number in range(51)]},
        )
        for policy in policies:
            assert (await self.save(house, house.administrator, policy)).status_code == 422, policy
