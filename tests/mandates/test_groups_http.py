"""`/groups`: sets of members; being put into one is a change of rights."""

from uuid import uuid4

from tests.mandates.conftest import House
from tests.mandates.test_members_http import rule


class TestGroups:
    async def test_can_be_made_renamed_and_deleted(self, house: House) -> None:
        group = await house.made(house.administrator, "/groups", name="  Team ")
        assert group["name"] == "Team"
        path = f"/groups/{group['id']}"
        renamed = await house.call(house.administrator, "PATCH", path, json={"name": "Crew"})
        assert (renamed.json()["name"], renamed.json()["version"]) == ("Crew", 2)
        assert (await house.call(house.administrator, "DELETE", path)).status_code == 204
        assert (await house.call(house.administrator, "GET", path)).json()["code"] == "group_not_found"
        assert await house.audited() == ["group_created", "group_changed", "group_deleted"]

    async def test_refuse_a_name_that_is_taken(self, house: House) -> None:
        await house.made(house.administrator, "/groups", name="Team")
        crew = await house.made(house.administrator, "/groups", name="Crew")
        created = await house.call(house.administrator, "POST", "/groups", json={"name": "Team"})
        assert (created.status_code, created.json()["code"]) == (409, "group_name_taken")
        renamed = await house.call(house.administrator, "PATCH", f"/groups/{crew['id']}", json={"name": "Team"})
        assert (renamed.status_code, renamed.json()["code"]) == (409, "group_name_taken")

    async def test_of_two_mandates_may_have_one_name(self, house: House) -> None:
        await house.made(house.administrator, "/groups", name="Team")
        await house.made(house.stranger, "/groups", name="Team")

    async def test_are_not_found_from_another_mandate(self, house: House) -> None:
        group = await house.made(house.administrator, "/groups", name="Team")
        path = f"/groups/{group['id']}"
        for method, place, document in (
            ("GET", path, None),
            ("PATCH", path, {"name": "Ours"}),
            ("DELETE", path, None),
            ("GET", f"{path}/members", None),
            ("PUT", f"{path}/members/{house.stranger.id}", None),
            ("DELETE", f"{path}/members/{house.member.id}", None),
        ):
            answer = await house.call(house.stranger, method, place, json=document)
            assert (answer.status_code, answer.json()["code"]) == (404, "group_not_found"), (method, place)

    async def test_below_level_all_are_those_one_is_in(self, house: House) -> None:
        clerk = await house.person_with(rule("groups", read="group"))
        mine = await house.made(house.administrator, "/groups", name="Mine")
        await house.made(house.administrator, "/groups", name="Theirs")
        await house.call(house.administrator, "PUT", f"/groups/{mine['id']}/members/{clerk.id}")
        page = (await house.call(house.administrator, "GET", "/groups")).json()
        assert [(group["name"], group["members"]) for group in page["items"]] == [("Mine", 1), ("Theirs", 0)]
        page = (await house.call(clerk, "GET", "/groups")).json()
        assert [group["name"] for group in page["items"]] == ["Mine"]

    async def test_refuse_a_stale_version(self, house: House) -> None:
        group = await house.made(house.administrator, "/groups", name="Team")
        answer = await house.call(house.administrator, "DELETE", f"/groups/{group['id']}", headers={"If-Match": '"7"'})
        assert answer.status_code == 412


class TestGroupMembers:
    async def test_are_listed_by_name(self, house: House) -> None:
        group = await house.made(house.administrator, "/groups", name="Team")
        path = f"/groups/{group['id']}/members"
        for person in (house.member, house.administrator):
            await house.call(house.administrator, "PUT", f"{path}/{person.id}")
        page = (await house.call(house.member, "GET", path)).json()
        assert [person["email"] for person in page["items"]] == ["ada@example.org", "mia@example.org"]
        found = (await house.call(house.member, "GET", path, params={"q": "mia", "sort": "-email"})).json()
        assert [person["display_name"] for person in found["items"]] == ["mia"]

    async def test_are_put_once(self, house: House) -> None:
        group = await house.made(house.administrator, "/groups", name="Team")
        path = f"/groups/{group['id']}/members/{house.member.id}"
        for _ in range(2):
            assert (await house.call(house.administrator, "PUT", path)).status_code == 204
        assert (await house.audited()).count("group_member_added") == 1

    async def test_must_be_members_of_the_mandate(self, house: House) -> None:
        group = await house.made(house.administrator, "/groups", name="Team")
        for user_id in (house.stranger.id, uuid4()):
            answer = await house.call(house.administrator, "PUT", f"/groups/{group['id']}/members/{user_id}")
            assert (answer.status_code, answer.json()["code"]) == (404, "member_not_found")

    async def test_are_taken_out_once(self, house: House) -> None:
        group = await house.made(house.administrator, "/groups", name="Team")
        path = f"/groups/{group['id']}/members/{house.member.id}"
        await house.call(house.administrator, "PUT", path)
        assert (await house.call(house.administrator, "DELETE", path)).status_code == 204
        assert (await house.call(house.administrator, "DELETE", path)).status_code == 404

    async def test_need_all_where_the_group_would_reach_further(self, house: House) -> None:
        clerk = await house.person_with(rule("groups", read="all", update="all"), rule("members", read="my"))
        reader = await house.own_role("Reader", rule("members", read="group"))
        await house.gateway.give(house.membership, house.mandate, reader)
        group = await house.made(house.administrator, "/groups", name="Team")
        answer = await house.call(clerk, "PUT", f"/groups/{group['id']}/members/{house.member.id}")
        assert (answer.status_code, answer.json()["code"]) == (403, "escalation_refused")
