"""`/members`: within the caller's level, under the guard, and never beyond the mandate."""

from typing import Any
from uuid import uuid4

from tests.mandates.conftest import House


def rule(item: str, **levels: str) -> dict[str, Any]:
    return {"kind": "RESOURCE", "item": item, **levels}


class TestListMembers:
    async def test_shows_people_with_their_roles(self, house: House) -> None:
        answer = await house.call(house.administrator, "GET", "/members")
        members = {member["email"]: member for member in answer.json()["items"]}
        assert set(members) == {"ada@example.org", "mia@example.org"}
        assert members["mia@example.org"]["role_ids"] == [await house.role("member")]

    async def test_with_level_my_shows_oneself_only(self, house: House) -> None:
        clerk = await house.person_with(rule("members", read="my"))
        answer = await house.call(clerk, "GET", "/members")
        assert [member["user_id"] for member in answer.json()["items"]] == [str(clerk.id)]

    async def test_with_level_group_shows_the_people_of_ones_groups(self, house: House) -> None:
        clerk = await house.person_with(rule("members", read="group"))
        group = await house.made(house.administrator, "/groups", name="Team")
        for person in (clerk, house.member):
            put = await house.call(house.administrator, "PUT", f"/groups/{group['id']}/members/{person.id}")
            assert put.status_code == 204, put.text
        answer = await house.call(clerk, "GET", "/members")
        assert {member["user_id"] for member in answer.json()["items"]} == {str(clerk.id), str(house.member.id)}

    async def test_searches_names_and_addresses(self, house: House) -> None:
        answer = await house.call(house.administrator, "GET", "/members", params={"q": "MIA@"})
        assert [member["email"] for member in answer.json()["items"]] == ["mia@example.org"]

    async def test_takes_search_characters_literally(self, house: House) -> None:
        answer = await house.call(house.administrator, "GET", "/members", params={"q": "%"})
        assert answer.json()["items"] == []

    async def test_filters_by_group(self, house: House) -> None:
        group = await house.made(house.administrator, "/groups", name="Team")
        await house.call(house.administrator, "PUT", f"/groups/{group['id']}/members/{house.member.id}")
        answer = await house.call(house.administrator, "GET", "/members", params={"group_id": group["id"]})
        assert [(each["email"], each["group_ids"]) for each in answer.json()["items"]] == [
            ("mia@example.org", [group["id"]])
        ]

    async def test_continues_where_the_page_ended_in_either_direction(self, house: House) -> None:
        for number in range(5):
            await house.gateway.join(await house.gateway.person(f"p{number}@example.org"), house.mandate)
        for sort in ("email", "-email", "created_at", "-display_name"):
            seen: list[str] = []
            query: dict[str, Any] = {"limit": 2, "sort": sort}
            while True:
                page = (await house.call(house.administrator, "GET", "/members", params=query)).json()
                seen += [member["email"] for member in page["items"]]
                if page["next_cursor"] is None:
                    break
                query["cursor"] = page["next_cursor"]
            assert len(seen) == len(set(seen)) == 7, sort
            if sort.endswith("email"):
                assert seen == sorted(seen, reverse=sort.startswith("-"))

    async def test_refuses_a_cursor_of_another_order(self, house: House) -> None:
        page = (await house.call(house.administrator, "GET", "/members", params={"limit": 1, "sort": "email"})).json()
        answer = await house.call(house.administrator, "GET", "/members", params={"cursor": page["next_cursor"]})
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_cursor")

    async def test_refuses_a_cursor_that_is_none(self, house: House) -> None:
        for cursor in ("x", "é", "W10", "WyJkaXNwbGF5X25hbWUiLG51bGwsIngiXQ", "x" * 5000):
            answer = await house.call(house.administrator, "GET", "/members", params={"cursor": cursor})
            assert (answer.status_code, answer.json()["code"]) == (400, "malformed_cursor"), cursor

    async def test_refuses_an_order_nobody_offers(self, house: House) -> None:
        answer = await house.call(house.administrator, "GET", "/members", params={"sort": "password"})
        assert answer.status_code == 422

    async def test_shows_nothing_of_another_mandate(self, house: House) -> None:
        answer = await house.call(house.stranger, "GET", "/members")
        assert [member["email"] for member in answer.json()["items"]] == ["sam@example.org"]


class TestGetMember:
    async def test_is_not_found_from_another_mandate(self, house: House) -> None:
        answer = await house.call(house.stranger, "GET", f"/members/{house.membership}")
        assert (answer.status_code, answer.json()["code"]) == (404, "member_not_found")

    async def test_is_not_found_beyond_the_callers_level(self, house: House) -> None:
        clerk = await house.person_with(rule("members", read="my"))
        answer = await house.call(clerk, "GET", f"/members/{house.membership}")
        assert answer.status_code == 404


class TestAddMember:
    async def test_is_for_the_installations_administrators(self, house: House) -> None:
        newcomer = await house.gateway.person()
        answer = await house.call(house.administrator, "POST", "/members", json={"user_id": str(newcomer.id)})
        assert (answer.status_code, answer.json()["code"]) == (403, "invitation_needed")

    async def test_tells_others_nothing_about_who_exists(self, house: House) -> None:
        answer = await house.call(house.administrator, "POST", "/members", json={"user_id": str(uuid4())})
        assert (answer.status_code, answer.json()["code"]) == (403, "invitation_needed")

    async def test_adds_a_user_to_the_operators_mandate(self, house: House) -> None:
        root, newcomer = await house.gateway.root(), await house.gateway.person("new@example.org")
        answer = await house.call(house.operator, "POST", "/members", root, json={"user_id": str(newcomer.id)})
        assert answer.status_code == 201, answer.text
        assert answer.headers["Location"] == f"/api/v1/members/{answer.json()['id']}"
        assert "member_added" in await house.audited(root)

    async def test_refuses_somebody_who_is_a_member(self, house: House) -> None:
        root = await house.gateway.root()
        answer = await house.call(house.operator, "POST", "/members", root, json={"user_id": str(house.operator.id)})
        assert (answer.status_code, answer.json()["code"]) == (409, "already_a_member")

    async def test_refuses_somebody_who_does_not_exist(self, house: House) -> None:
        root = await house.gateway.root()
        answer = await house.call(house.operator, "POST", "/members", root, json={"user_id": str(uuid4())})
        assert (answer.status_code, answer.json()["code"]) == (404, "user_not_found")


class TestUpdateMember:
    async def test_switches_a_membership_off_for_the_next_request(self, house: House) -> None:
        path = f"/members/{house.membership}"
        answer = await house.call(house.administrator, "PATCH", path, json={"enabled": False})
        assert answer.json()["enabled"] is False
        refused = await house.call(house.member, "GET", "/members")
        assert (refused.status_code, refused.json()["code"]) == (403, "membership_disabled")
        assert "member_changed" in await house.audited()

    async def test_replaces_roles(self, house: House) -> None:
        viewer = await house.role("viewer")
        path = f"/members/{house.membership}"
        answer = await house.call(house.administrator, "PATCH", path, json={"role_ids": [viewer]})
        assert answer.json()["role_ids"] == [viewer]
        assert (await house.call(house.member, "GET", "/members")).status_code == 403

    async def test_never_gives_more_than_the_actor_has(self, house: House) -> None:
        clerk = await house.person_with(rule("members", read="all", update="all"))
        role = await house.role("administrator")
        answer = await house.call(clerk, "PATCH", f"/members/{house.membership}", json={"role_ids": [role]})
        assert (answer.status_code, answer.json()["code"]) == (403, "escalation_refused")
        members = (await house.call(house.administrator, "GET", f"/members/{house.membership}")).json()
        assert members["role_ids"] == [await house.role("member")]

    async def test_keeps_the_last_administrator(self, house: House) -> None:
        path = f"/members/{await house.membership_of(house.administrator)}"
        answer = await house.call(house.administrator, "PATCH", path, json={"enabled": False})
        assert (answer.status_code, answer.json()["code"]) == (409, "last_administrator")

    async def test_refuses_a_role_of_another_mandate(self, house: House) -> None:
        role = (await house.made(house.stranger, "/roles", name="Theirs"))["id"]
        path = f"/members/{house.membership}"
        answer = await house.call(house.administrator, "PATCH", path, json={"role_ids": [role]})
        assert (answer.status_code, answer.json()["code"]) == (422, "role_not_assignable")

    async def test_limits_in_time_and_takes_the_limit_away(self, house: House) -> None:
        path = f"/members/{house.membership}"
        limited = await house.call(
            house.administrator, "PATCH", path, json={"valid_until": "2050-01-01T00:00:00+01:00"}
        )
        assert limited.json()["valid_until"] == "2049-12-31T23:00:00Z"
        free = await house.call(house.administrator, "PATCH", path, json={"valid_until": None})
        assert free.json()["valid_until"] is None

    async def test_refuses_a_period_that_ends_before_it_begins(self, house: House) -> None:
        period = {"valid_from": "2030-01-02T00:00:00Z", "valid_until": "2030-01-01T00:00:00Z"}
        answer = await house.call(house.administrator, "PATCH", f"/members/{house.membership}", json=period)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_period")

    async def test_refuses_moments_no_calendar_can_convert(self, house: House) -> None:
        for moment in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2030-01-01T00:00:00"):
            path = f"/members/{house.membership}"
            answer = await house.call(house.administrator, "PATCH", path, json={"valid_until": moment})
            assert answer.status_code == 422, moment

    async def test_refuses_null_where_there_must_be_a_value(self, house: House) -> None:
        path = f"/members/{house.membership}"
        answer = await house.call(house.administrator, "PATCH", path, json={"enabled": None})
        assert answer.json()["errors"][0]["pointer"] == "/enabled"

    async def test_nobody_prolongs_their_own_membership(self, house: House) -> None:
        path = f"/members/{await house.membership_of(house.administrator)}"
        second = await house.gateway.person()
        await house.gateway.join(second, house.mandate, "administrator")
        answer = await house.call(house.administrator, "PATCH", path, json={"valid_until": "2050-01-01T00:00:00Z"})
        assert (answer.status_code, answer.json()["code"]) == (403, "own_period_stays")

    async def test_refuses_a_stale_version(self, house: House) -> None:
        path = f"/members/{house.membership}"
        current = (await house.call(house.administrator, "GET", path)).json()["version"]
        headers = {"If-Match": f'"{current}"'}
        first = await house.call(house.administrator, "PATCH", path, json={"enabled": True}, headers=headers)
        assert first.json()["version"] == current + 1
        second = await house.call(house.administrator, "PATCH", path, json={"enabled": False}, headers=headers)
        assert (second.status_code, second.json()["code"]) == (412, "stale_version")

    async def test_refuses_an_if_match_it_cannot_read(self, house: House) -> None:
        path = f"/members/{house.membership}"
        for tag in ("3", '"3', '"3", x', "W/3", '"' + "9" * 2000 + '"'):
            answer = await house.call(
                house.administrator, "PATCH", path, json={"enabled": True}, headers={"If-Match": tag}
            )
            assert (answer.status_code, answer.json()["code"]) == (400, "malformed_if_match"), tag

    async def test_is_not_found_from_another_mandate(self, house: House) -> None:
        answer = await house.call(house.stranger, "PATCH", f"/members/{house.membership}", json={"enabled": False})
        assert answer.status_code == 404


class TestRemoveMember:
    async def test_ends_the_membership_with_all_that_hung_on_it(self, house: House) -> None:
        answer = await house.call(house.administrator, "DELETE", f"/members/{house.membership}")
        assert answer.status_code == 204
        assert (await house.call(house.member, "GET", "/members")).json()["code"] == "not_a_member"
        left = await house.gateway.sql("SELECT 1 FROM role_assignments WHERE membership_id = :id", id=house.membership)
        assert left == []
        assert "member_removed" in await house.audited()

    async def test_keeps_the_last_administrator(self, house: House) -> None:
        path = f"/members/{await house.membership_of(house.administrator)}"
        answer = await house.call(house.administrator, "DELETE", path)
        assert (answer.status_code, answer.json()["code"]) == (409, "last_administrator")

    async def test_is_not_found_from_another_mandate(self, house: House) -> None:
        answer = await house.call(house.stranger, "DELETE", f"/members/{house.membership}")
        assert answer.status_code == 404
