"""`/mandates/joinable`: for whoever's sign-in itself proved an address at a proven domain, when they say so."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from modules.shared.ids import MandateId
from tests.mandates.conftest import House
from tests.mandates.joining import added, domain_house, proven, vouched_for
from tests.mandates.test_members_http import rule
from tests.support.dns_peer import DnsPeer, dns_peer
from tests.support.gateway import Person
from tests.support.postgres import DatabaseUrls

ADDRESS = "eve@corp.example"


@pytest.fixture
async def peer() -> AsyncIterator[DnsPeer]:
    async with dns_peer() as running:
        yield running


@pytest.fixture
async def house(database_urls: DatabaseUrls, tmp_path: Path, peer: DnsPeer) -> AsyncIterator[House]:
    async with domain_house(database_urls, tmp_path, peer) as made:
        yield made


async def shown(house: House, person: Person) -> list[str]:
    async with house.gateway.client(person) as client:
        items = (await client.get("/api/v1/mandates/joinable")).json()["items"]
    return [each["slug"] for each in items]


async def join(house: House, person: Person, mandate: MandateId | None = None) -> httpx.Response:
    async with house.gateway.client(person) as client:
        return await client.post(f"/api/v1/mandates/joinable/{mandate or house.mandate}/join")


async def is_refused(house: House, person: Person) -> bool:
    """Neither shown nor let in, and no word about the mandate."""
    answer = await join(house, person)
    assert (answer.status_code, answer.json()["code"]) == (404, "mandate_not_joinable"), answer.text
    rows = await house.gateway.sql("SELECT 1 FROM memberships WHERE user_id = :user", user=person.id)
    return await shown(house, person) == [] and rows == []


class TestJoining:
    async def test_is_offered_and_makes_a_member_with_the_role(self, house: House, peer: DnsPeer) -> None:
        role = await house.role("viewer")
        await proven(house, peer, role_id=role)
        person = await vouched_for(house, ADDRESS)
        assert await shown(house, person) == ["acme"]
        answer = await join(house, person)
        assert (answer.status_code, answer.json()["slug"]) == (200, "acme"), answer.text
        assert (await house.call(person, "GET", "/mandate")).status_code == 200
        members = (await house.call(house.administrator, "GET", "/members")).json()["items"]
        assert [each["role_ids"] for each in members if each["user_id"] == str(person.id)] == [[role]]
        (event,) = await house.gateway.sql("SELECT * FROM audit_events WHERE code = 'joined_by_domain'")
        assert (event["mandate_id"], event["actor_id"]) == (house.mandate, person.id)
        assert (event["details"]["domain"], event["details"]["role_id"]) == ("corp.example", role)

    async def test_makes_nobody_a_member_unasked(self, house: House, peer: DnsPeer) -> None:
        await proven(house, peer)
        person = await vouched_for(house, ADDRESS)
        await shown(house, person)
        assert await house.gateway.sql("SELECT 1 FROM memberships WHERE user_id = :user", user=person.id) == []

    async def test_without_a_role_gives_membership_alone(self, house: House, peer: DnsPeer) -> None:
        await proven(house, peer)
        person = await vouched_for(house, ADDRESS)
        assert (await join(house, person)).status_code == 200
        assert (await house.call(person, "GET", "/mandate")).json()["code"] == "permission_denied"

    async def test_happens_once_however_often_it_is_clicked(self, house: House, peer: DnsPeer) -> None:
        await proven(house, peer)
        person = await vouched_for(house, ADDRESS)
        answers = await asyncio.gather(*(join(house, person) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404]
        assert await shown(house, person) == []

    async def test_says_what_the_login_policy_still_wants(self, house: House, peer: DnsPeer) -> None:
        await proven(house, peer)
        await house.gateway.sql(
            """UPDATE mandates SET login_policy = '{"second_factor": true}' WHERE id = :id""", id=house.mandate
        )
        person = await vouched_for(house, ADDRESS)
        assert (await join(house, person)).json()["wants"] == "mfa"
        assert (await house.call(person, "GET", "/mandate")).json()["code"] == "login_method_not_allowed"


class TestTheAddress:
    @pytest.mark.parametrize(
        "address",
        [
            "eve@corp.example.evil.test",
            "eve@sub.corp.example",
            "eve@evil-corp.example",
            "eve@xn--crp-5cd.example",  # a Cyrillic o
            "corp.example@evil.test",
            None,
        ],
    )
    async def test_is_at_that_very_domain(self, house: House, peer: DnsPeer, address: str | None) -> None:
        await proven(house, peer)
        assert await is_refused(house, await vouched_for(house, address))

    async def test_counts_only_if_the_sign_in_itself_proved_it(self, house: House, peer: DnsPeer) -> None:
        await proven(house, peer)
        for authority in ("local", "google"):
            person = await vouched_for(house, None, authority=authority, own=f"{authority}@corp.example")
            assert await is_refused(house, person)

    async def test_proven_by_a_mail_of_ours_counts_while_the_account_keeps_it(
        self, house: House, peer: DnsPeer
    ) -> None:
        await proven(house, peer)
        person = await vouched_for(house, ADDRESS, authority="magic_link", own=ADDRESS)
        assert await shown(house, person) == ["acme"]
        await house.gateway.sql("UPDATE users SET email = 'eve@elsewhere.example' WHERE id = :id", id=person.id)
        assert await is_refused(house, person)

    async def test_taken_on_after_the_sign_in_does_not_count(self, house: House, peer: DnsPeer) -> None:
        await proven(house, peer)
        person = await vouched_for(house, "eve@elsewhere.example", authority="magic_link", own="eve@elsewhere.example")
        await house.gateway.sql("UPDATE users SET email = :email WHERE id = :id", email=ADDRESS, id=person.id)
        assert await is_refused(house, person)


class TestTheDomain:
    async def test_counts_for_nothing_before_it_is_proven(self, house: House) -> None:
        await added(house)
        assert await is_refused(house, await vouched_for(house, ADDRESS))

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE mandate_domains SET verified_at = NULL, suspended_at = now() WHERE mandate_id = :mandate",
            "UPDATE mandate_domains SET enabled = false WHERE mandate_id = :mandate",
            "DELETE FROM mandate_domains WHERE mandate_id = :mandate",
            "UPDATE mandates SET enabled = false WHERE id = :mandate",
        ],
    )
    async def test_lets_nobody_in_from_the_moment_it_ends(self, house: House, peer: DnsPeer, change: str) -> None:
        await proven(house, peer)
        person = await vouched_for(house, ADDRESS)
        assert await shown(house, person) == ["acme"]
        await house.gateway.sql(change, mandate=house.mandate)
        assert await is_refused(house, person)

    async def test_opens_no_other_mandate(self, house: House, peer: DnsPeer) -> None:
        await proven(house, peer)
        person = await vouched_for(house, ADDRESS)
        assert (await join(house, person, house.foreign)).json()["code"] == "mandate_not_joinable"


class TestSomebodyWhoWasThere:
    async def test_and_was_removed_comes_back_by_invitation_only(self, house: House, peer: DnsPeer) -> None:
        await proven(house, peer)
        person = await vouched_for(house, ADDRESS, own=ADDRESS)
        await join(house, person)
        membership = await house.membership_of(person)
        assert (await house.call(house.administrator, "DELETE", f"/members/{membership}")).status_code == 204
        assert await is_refused(house, person)
        await house.made(house.administrator, "/invitations", email=ADDRESS)
        async with house.gateway.client(person) as client:
            secret = await house.secret_for(ADDRESS)
            assert (await client.post("/api/v1/invitations/accept", json={"token": secret})).status_code == 200
        assert await house.gateway.sql("SELECT 1 FROM removed_members") == []

    async def test_and_left_may_come_back(self, house: House, peer: DnsPeer) -> None:
        leaver = await house.person_with(rule("members", read="my", delete="my"))
        await proven(house, peer)
        await house.gateway.sql("UPDATE sessions SET authority = 'google', proven_email = :email WHERE user_id = :user",
                                email=ADDRESS, user=leaver.id)  # fmt: skip
        membership = await house.membership_of(leaver)
        assert (await house.call(leaver, "DELETE", f"/members/{membership}")).status_code == 204
        assert await shown(house, leaver) == ["acme"]

    async def test_with_a_membership_switched_off_stays_out(self, house: House, peer: DnsPeer) -> None:
        await proven(house, peer)
        person = await vouched_for(house, ADDRESS)
        await join(house, person)
        membership = await house.membership_of(person)
        await house.call(house.administrator, "PATCH", f"/members/{membership}", json={"enabled": False})
        assert await shown(house, person) == []
        assert (await join(house, person)).status_code == 404


class TestWhatIsPromised:
    async def setter(self, house: House, peer: DnsPeer, *rules: dict[str, Any]) -> tuple[Person, str]:
        """A second administrator who set the joining up; and the role."""
        second = await house.gateway.person()
        await house.gateway.join(second, house.mandate, "administrator")
        role = str(await house.own_role("Newcomer", *rules))
        await proven(house, peer, by=second, role_id=role)
        return second, role

    async def test_is_given_only_while_its_setter_may_give_it(self, house: House, peer: DnsPeer) -> None:
        second, _ = await self.setter(house, peer, rule("audit", read="all"))
        clerk = await house.own_role("Clerk", rule("domains", update="all"))
        path = f"/members/{await house.membership_of(second)}"
        assert (
            await house.call(house.administrator, "PATCH", path, json={"role_ids": [str(clerk)]})
        ).status_code == 200
        person = await vouched_for(house, ADDRESS)
        answer = await join(house, person)
        assert (answer.status_code, answer.json()["code"]) == (409, "joining_stale"), answer.text
        assert await house.gateway.sql("SELECT 1 FROM memberships WHERE user_id = :user", user=person.id) == []
        (event,) = await house.gateway.sql("SELECT * FROM audit_events WHERE code = 'joining_refused'")
        assert (event["outcome"], event["mandate_id"]) == ("refused", house.mandate)

    async def test_is_given_only_while_its_setter_is_there(self, house: House, peer: DnsPeer) -> None:
        second, _ = await self.setter(house, peer)
        path = f"/members/{await house.membership_of(second)}"
        assert (await house.call(house.administrator, "DELETE", path)).status_code == 204
        assert (await join(house, await vouched_for(house, ADDRESS))).json()["code"] == "joining_stale"

    async def test_is_not_given_when_the_role_has_come_to_administer(self, house: House, peer: DnsPeer) -> None:
        _, role = await self.setter(house, peer)
        grown = {"rules": [rule("members", update="all")]}
        assert (await house.call(house.administrator, "PUT", f"/roles/{role}/rules", json=grown)).status_code == 200
        assert (await join(house, await vouched_for(house, ADDRESS))).json()["code"] == "joining_stale"

    async def test_grows_by_nobody_who_has_less(self, house: House, peer: DnsPeer) -> None:
        editor = await house.person_with(rule("rbac.roles", read="all", update="all"))
        _, role = await self.setter(house, peer)
        grown = {"rules": [rule("audit", read="all")]}
        answer = await house.call(editor, "PUT", f"/roles/{role}/rules", json=grown)
        assert (answer.status_code, answer.json()["code"]) == (403, "escalation_refused")
        assert (await join(house, await vouched_for(house, ADDRESS))).status_code == 200

    async def test_is_not_given_when_the_role_has_grown_beyond_its_setter(self, house: House, peer: DnsPeer) -> None:
        setter = await house.person_with(rule("domains", create="all", read="all", update="all"), name="Setter")
        role = str(await house.own_role("Newcomer"))
        await proven(house, peer, by=setter, role_id=role)
        grown = {"rules": [rule("audit", read="all")]}
        assert (await house.call(house.administrator, "PUT", f"/roles/{role}/rules", json=grown)).status_code == 200
        assert (await join(house, await vouched_for(house, ADDRESS))).json()["code"] == "joining_stale"

    async def test_is_not_given_when_the_role_is_gone(self, house: House, peer: DnsPeer) -> None:
        _, role = await self.setter(house, peer)
        assert (await house.call(house.administrator, "DELETE", f"/roles/{role}")).status_code == 204
        assert (await join(house, await vouched_for(house, ADDRESS))).json()["code"] == "joining_stale"


class TestWhoeverIsNotSignedIn:
    async def test_sees_and_joins_nothing(self, house: House) -> None:
        async with house.gateway.client() as client:
            assert (await client.get("/api/v1/mandates/joinable")).status_code == 401
            answer = await client.post(
                f"/api/v1/mandates/joinable/{house.mandate}/join", headers={"X-Requested-With": "x"}
            )
        assert answer.status_code == 401
