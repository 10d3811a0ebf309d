"""`/instances` and who has access to them."""

from typing import Any
from uuid import uuid4

from tests.mandates.conftest import House
from tests.mandates.test_members_http import rule


async def installed(house: House, name: str = "Main") -> str:
    return str((await house.made(house.administrator, "/instances", feature="invoices", name=name))["id"])


async def instance_role(house: House, instance: str, *rules: dict[str, Any]) -> str:
    role = await house.made(house.administrator, "/roles", name="Bookkeeper", instance_id=instance)
    path = f"/roles/{role['id']}/rules"
    answer = await house.call(house.administrator, "PUT", path, json={"rules": list(rules)})
    assert answer.status_code == 200, answer.text
    return str(role["id"])


class TestInstances:
    async def test_can_be_installed_renamed_and_removed(self, house: House) -> None:
        path = f"/instances/{await installed(house)}"
        renamed = await house.call(house.administrator, "PATCH", path, json={"name": "Books"})
        assert (renamed.json()["feature"], renamed.json()["name"]) == ("invoices", "Books")
        assert (await house.call(house.administrator, "DELETE", path)).status_code == 204
        assert (await house.call(house.administrator, "GET", path)).status_code == 404
        assert await house.audited() == ["instance_created", "instance_changed", "instance_deleted"]

    async def test_refuse_a_name_that_is_taken_for_the_feature(self, house: House) -> None:
        await installed(house)
        second = await house.made(house.administrator, "/instances", feature="orders", name="Main")
        other = await house.made(house.administrator, "/instances", feature="orders", name="Other")
        answer = await house.call(
            house.administrator, "POST", "/instances", json={"feature": "orders", "name": second["name"]}
        )
        assert (answer.status_code, answer.json()["code"]) == (409, "instance_name_taken")
        path = f"/instances/{other['id']}"
        answer = await house.call(house.administrator, "PATCH", path, json={"name": "Main"})
        assert (answer.status_code, answer.json()["code"]) == (409, "instance_name_taken")

    async def test_are_listed_by_feature_and_name(self, house: House) -> None:
        await installed(house, "Main")
        await installed(house, "Archive")
        await house.made(house.administrator, "/instances", feature="orders", name="Orders")
        page = (await house.call(house.member, "GET", "/instances", params={"feature": "invoices"})).json()
        assert [instance["name"] for instance in page["items"]] == ["Archive", "Main"]
        page = (await house.call(house.member, "GET", "/instances", params={"q": "ord"})).json()
        assert [instance["name"] for instance in page["items"]] == ["Orders"]

    async def test_below_level_all_are_those_one_has_access_to(self, house: House) -> None:
        clerk = await house.person_with(rule("instances", read="my"))
        mine, _ = await installed(house, "Mine"), await installed(house, "Theirs")
        await house.call(house.administrator, "PUT", f"/instances/{mine}/access/{clerk.id}", json={})
        page = (await house.call(clerk, "GET", "/instances")).json()
        assert [instance["name"] for instance in page["items"]] == ["Mine"]

    async def test_are_not_found_from_another_mandate(self, house: House) -> None:
        path = f"/instances/{await installed(house)}"
        person = f"{path}/access/{house.stranger.id}"
        for method, place, document in (
            ("GET", path, None),
            ("PATCH", path, {"enabled": False}),
            ("DELETE", path, None),
            ("GET", f"{path}/access", None),
            ("PUT", person, {}),
            ("PATCH", person, {}),
            ("DELETE", person, None),
        ):
            answer = await house.call(house.stranger, method, place, json=document)
            assert (answer.status_code, answer.json()["code"]) == (404, "feature_instance_not_found"), (method, place)

    async def test_disabled_let_nobody_in(self, house: House) -> None:
        instance = await installed(house)
        await house.call(house.administrator, "PUT", f"/instances/{instance}/access/{house.member.id}", json={})
        headers = {"X-Instance-Id": instance}
        assert (await house.call(house.member, "GET", "/members", headers=headers)).status_code == 200
        await house.call(house.administrator, "PATCH", f"/instances/{instance}", json={"enabled": False})
        refused = await house.call(house.member, "GET", "/members", headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "instance_access_disabled")


class TestInstanceAccess:
    async def test_is_given_with_roles_of_the_instance(self, house: House) -> None:
        instance = await installed(house)
        role = await instance_role(house, instance, rule("members", read="all"))
        path = f"/instances/{instance}/access/{house.member.id}"
        answer = await house.call(house.administrator, "PUT", path, json={"role_ids": [role]})
        assert (answer.status_code, answer.json()["role_ids"]) == (200, [role])
        page = (await house.call(house.administrator, "GET", f"/instances/{instance}/access")).json()
        assert [(access["email"], access["role_ids"]) for access in page["items"]] == [("mia@example.org", [role])]
        assert "instance_access_put" in await house.audited()

    async def test_is_replaced_as_a_whole(self, house: House) -> None:
        instance = await installed(house)
        role = await instance_role(house, instance)
        path = f"/instances/{instance}/access/{house.member.id}"
        await house.call(house.administrator, "PUT", path, json={"role_ids": [role], "enabled": False})
        answer = await house.call(house.administrator, "PUT", path, json={})
        assert (answer.json()["role_ids"], answer.json()["enabled"], answer.json()["version"]) == ([], True, 2)

    async def test_is_changed_in_parts(self, house: House) -> None:
        instance = await installed(house)
        role = await instance_role(house, instance)
        path = f"/instances/{instance}/access/{house.member.id}"
        await house.call(house.administrator, "PUT", path, json={"role_ids": [role]})
        answer = await house.call(house.administrator, "PATCH", path, json={"enabled": False})
        assert (answer.json()["enabled"], answer.json()["role_ids"]) == (False, [role])
        stale = await house.call(
            house.administrator, "PATCH", path, json={"enabled": True}, headers={"If-Match": '"1"'}
        )
        assert stale.status_code == 412

    async def test_refuses_a_role_of_another_instance(self, house: House) -> None:
        instance, other = await installed(house), await installed(house, "Other")
        role = await instance_role(house, other)
        path = f"/instances/{instance}/access/{house.member.id}"
        answer = await house.call(house.administrator, "PUT", path, json={"role_ids": [role]})
        assert (answer.status_code, answer.json()["code"]) == (422, "role_not_assignable")

    async def test_is_for_members_only(self, house: House) -> None:
        instance = await installed(house)
        for user_id in (house.stranger.id, uuid4()):
            path = f"/instances/{instance}/access/{user_id}"
            answer = await house.call(house.administrator, "PUT", path, json={})
            assert (answer.status_code, answer.json()["code"]) == (404, "member_not_found")

    async def test_is_taken_with_its_roles(self, house: House) -> None:
        instance = await installed(house)
        path = f"/instances/{instance}/access/{house.member.id}"
        await house.call(house.administrator, "PUT", path, json={})
        assert (await house.call(house.administrator, "DELETE", path)).status_code == 204
        again = await house.call(house.administrator, "DELETE", path)
        assert (again.status_code, again.json()["code"]) == (404, "access_not_found")

    async def test_nobody_prolongs_their_own(self, house: House) -> None:
        instance = await installed(house)
        path = f"/instances/{instance}/access/{house.administrator.id}"
        for method in ("PUT", "PATCH"):
            if method == "PATCH":
                await house.call(house.administrator, "PUT", path, json={})
            period = {"valid_until": "2050-01-01T00:00:00Z"}
            answer = await house.call(house.administrator, method, path, json=period)
            assert (answer.status_code, answer.json()["code"]) == (403, "own_period_stays"), method

    async def test_never_gives_more_than_the_actor_has(self, house: House) -> None:
        clerk = await house.person_with(rule("instances", read="all", update="all"))
        instance = await installed(house)
        role = await instance_role(house, instance, {"kind": "DATA", "item": "*", "read": "all"})
        path = f"/instances/{instance}/access/{clerk.id}"
        answer = await house.call(clerk, "PUT", path, json={"role_ids": [role]})
        assert (answer.status_code, answer.json()["code"]) == (403, "escalation_refused")

    async def test_is_shown_to_whoever_may_change_instances_only(self, house: House) -> None:
        answer = await house.call(house.member, "GET", f"/instances/{await installed(house)}/access")
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
