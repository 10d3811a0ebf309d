"""Roles and rules of a mandate, by HTTP on the whole application."""

from uuid import uuid4

import pytest

from tests.support.house import House

READ_MEMBERS = {"kind": "RESOURCE", "item": "members", "read": "all"}
MANAGE_ROLES = {
    "kind": "RESOURCE",
    "item": "rbac.roles",
    "create": "all",
    "read": "all",
    "update": "all",
    "delete": "all",
}


class TestCreateRole:
    async def test_answers_where_the_role_is(self, house: House) -> None:
        answer = await house.call(house.administrator, "POST", "/roles", json={"name": " Clerk "})
        assert answer.status_code == 201
        assert answer.headers["Location"] == f"/api/v1/roles/{answer.json()['id']}"
        assert answer.json()["name"] == "Clerk"

    async def test_is_audited_in_the_mandate(self, house: House) -> None:
        role = await house.new_role("Clerk")
        (event,) = await house.events("role_created")
        assert (event["mandate_id"], event["subject_id"]) == (house.mandate, role["id"])

    async def test_refuses_a_name_that_is_taken(self, house: House) -> None:
        await house.new_role("Clerk")
        answer = await house.call(house.administrator, "POST", "/roles", json={"name": "Clerk"})
        assert (answer.status_code, answer.json()["code"]) == (409, "role_name_taken")

    async def test_refuses_an_instance_of_another_mandate(self, house: House) -> None:
        instance = await house.gateway.instance(house.foreign, "invoices")
        body = {"name": "Clerk", "instance_id": str(instance)}
        answer = await house.call(house.administrator, "POST", "/roles", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "role_not_assignable")

    async def test_is_not_for_members(self, house: House) -> None:
        answer = await house.call(house.member, "POST", "/roles", json={"name": "Clerk"})
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")

    async def test_happens_once_per_idempotency_key(self, house: House) -> None:
        headers = {"Idempotency-Key": "one"}
        answers = [
            await house.call(house.administrator, "POST", "/roles", json={"name": "Clerk"}, headers=headers)
            for _ in range(2)
        ]
        assert answers[0].json() == answers[1].json()


class TestReadRoles:
    async def test_lists_own_and_global_roles_and_no_others(self, house: House) -> None:
        await house.new_role("Clerk")
        foreign = await house.new_role("Foreign", by=house.stranger)
        listed = (await house.call(house.administrator, "GET", "/roles")).json()["items"]
        assert {"Clerk", "administrator", "member", "viewer"} <= {role["name"] for role in listed}
        assert foreign["id"] not in {role["id"] for role in listed}

    @pytest.mark.parametrize("path", ["", "/rules"])
    async def test_finds_no_role_of_another_mandate(self, house: House, path: str) -> None:
        foreign = await house.new_role("Foreign", by=house.stranger)
        answer = await house.call(house.administrator, "GET", f"/roles/{foreign['id']}{path}")
        assert answer.status_code == 404

    async def test_tells_global_roles_as_built_in(self, house: House) -> None:
        answer = await house.call(house.administrator, "GET", f"/roles/{await house.gateway.role('member')}")
        assert answer.json()["built_in"] is True


class TestUpdateRole:
    async def test_changes_what_is_given_and_nothing_else(self, house: House) -> None:
        role = await house.new_role("Clerk", READ_MEMBERS)
        answer = await house.call(house.administrator, "PATCH", f"/roles/{role['id']}", json={"description": "Files"})
        assert (answer.json()["name"], answer.json()["description"]) == ("Clerk", "Files")

    async def test_refuses_a_version_that_is_over(self, house: House) -> None:
        role = await house.new_role("Clerk", READ_MEMBERS)
        stale = {"If-Match": f'"{role["version"]}"'}
        path = f"/roles/{role['id']}"
        answer = await house.call(house.administrator, "PATCH", path, json={"name": "B"}, headers=stale)
        assert (answer.status_code, answer.json()["code"]) == (412, "stale_version")

    async def test_renews_the_version(self, house: House) -> None:
        role = await house.new_role("Clerk")
        answer = await house.call(house.administrator, "PATCH", f"/roles/{role['id']}", json={"name": "B"})
        assert answer.json()["version"] != role["version"]

    @pytest.mark.parametrize("key", ["member", "administrator"])
    async def test_leaves_global_roles_alone(self, house: House, key: str) -> None:
        path = f"/roles/{await house.gateway.role(key)}"
        answer = await house.call(house.administrator, "PATCH", path, json={"name": "B"})
        assert (answer.status_code, answer.json()["code"]) == (409, "built_in_role")


class TestDeleteRole:
    async def test_takes_it_from_its_holders_with_the_next_request(self, house: House) -> None:
        person = await house.person_with(READ_MEMBERS)
        role = (await house.call(person, "GET", "/context")).json()["roles"][0]
        assert await house.may(person, "members", "read") == "all"
        answer = await house.call(house.administrator, "DELETE", f"/roles/{role['id']}")
        assert answer.status_code == 204
        assert await house.may(person, "members", "read") == "none"

    async def test_is_not_found_for_another_mandate(self, house: House) -> None:
        role = await house.new_role("Clerk")
        assert (await house.call(house.stranger, "DELETE", f"/roles/{role['id']}")).status_code == 404


class TestDuplicateRole:
    async def test_copies_the_rules_of_a_global_role(self, house: House) -> None:
        member = await house.gateway.role("member")
        copy = await house.call(house.administrator, "POST", f"/roles/{member}/duplicate", json={"name": "Staff"})
        assert copy.status_code == 201
        assert copy.headers["Location"] == f"/api/v1/roles/{copy.json()['id']}"
        original = (await house.call(house.administrator, "GET", f"/roles/{member}/rules")).json()["items"]
        copied = (await house.call(house.administrator, "GET", f"/roles/{copy.json()['id']}/rules")).json()["items"]
        assert [{**rule, "id": None} for rule in copied] == [{**rule, "id": None} for rule in original]

    async def test_stays_in_the_instance_of_the_original(self, house: House) -> None:
        instance = str(await house.gateway.instance(house.mandate, "invoices"))
        body = {"name": "Clerk", "instance_id": instance}
        role = (await house.call(house.administrator, "POST", "/roles", json=body)).json()
        copy = await house.call(house.administrator, "POST", f"/roles/{role['id']}/duplicate", json={"name": "B"})
        assert copy.json()["instance_id"] == instance


class TestRules:
    async def test_take_effect_with_the_next_request(self, house: House) -> None:
        person = await house.person_with(READ_MEMBERS)
        role = (await house.call(person, "GET", "/context")).json()["roles"][0]
        narrower = {"rules": [{**READ_MEMBERS, "read": "my"}]}
        await house.call(house.administrator, "PUT", f"/roles/{role['id']}/rules", json=narrower)
        assert await house.may(person, "members", "read") == "my"

    async def test_of_something_undeclared_are_refused_with_near_names(self, house: House) -> None:
        role = await house.new_role("Clerk")
        rule = {"kind": "RESOURCE", "item": "member", "read": "all"}
        answer = await house.call(house.administrator, "POST", f"/roles/{role['id']}/rules", json=rule)
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_item")
        assert "members" in answer.json()["detail"]

    async def test_in_a_column_the_item_lacks_are_refused(self, house: House) -> None:
        role = await house.new_role("Clerk")
        rule = {"kind": "UI", "item": "administration", "read": "all"}
        answer = await house.call(house.administrator, "POST", f"/roles/{role['id']}/rules", json=rule)
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_action")

    async def test_on_one_item_twice_are_refused(self, house: House) -> None:
        role = await house.new_role("Clerk", READ_MEMBERS)
        path = f"/roles/{role['id']}/rules"
        one = await house.call(house.administrator, "POST", path, json=READ_MEMBERS)
        many = await house.call(house.administrator, "PUT", path, json={"rules": [READ_MEMBERS, READ_MEMBERS]})
        assert [one.json()["code"], many.json()["code"]] == ["duplicate_rule", "duplicate_rule"]

    async def test_beyond_what_the_author_holds_are_refused(self, house: House) -> None:
        manager = await house.person_with(MANAGE_ROLES, {**READ_MEMBERS, "read": "my"})
        role = (await house.call(manager, "GET", "/context")).json()["roles"][0]
        wider = {"rules": [MANAGE_ROLES, READ_MEMBERS]}
        answer = await house.call(manager, "PUT", f"/roles/{role['id']}/rules", json=wider)
        assert (answer.status_code, answer.json()["code"]) == (403, "escalation_refused")
        assert await house.may(manager, "members", "read") == "my"

    async def test_that_hold_a_wider_one_down_cannot_be_removed_to_rise(self, house: House) -> None:
        everything = {"kind": "RESOURCE", "item": "*", "create": "all", "read": "all", "update": "all", "delete": "all"}
        manager = await house.person_with(everything, {**READ_MEMBERS, "read": "none"})
        role = (await house.call(manager, "GET", "/context")).json()["roles"][0]
        rules = (await house.call(manager, "GET", f"/roles/{role['id']}/rules")).json()["items"]
        narrow = next(rule["id"] for rule in rules if rule["item"] == "members")
        answer = await house.call(manager, "DELETE", f"/roles/{role['id']}/rules/{narrow}")
        assert (answer.status_code, answer.json()["code"]) == (403, "escalation_refused")

    async def test_are_removed_one_by_one(self, house: House) -> None:
        role = await house.new_role("Clerk", READ_MEMBERS)
        path = f"/roles/{role['id']}/rules"
        (rule,) = (await house.call(house.administrator, "GET", path)).json()["items"]
        assert (await house.call(house.administrator, "DELETE", f"{path}/{rule['id']}")).status_code == 204
        assert (await house.call(house.administrator, "GET", path)).json()["items"] == []

    async def test_unknown_are_not_found(self, house: House) -> None:
        role = await house.new_role("Clerk")
        answer = await house.call(house.administrator, "DELETE", f"/roles/{role['id']}/rules/{uuid4()}")
        assert (answer.status_code, answer.json()["code"]) == (404, "rule_not_found")

    async def test_of_global_roles_stay(self, house: House) -> None:
        path = f"/roles/{await house.gateway.role('viewer')}/rules"
        answer = await house.call(house.administrator, "PUT", path, json={"rules": []})
        assert (answer.status_code, answer.json()["code"]) == (409, "built_in_role")

    async def test_that_would_leave_nobody_to_administer_are_refused(self, house: House) -> None:
        keeper = await house.gateway.person()
        role = await house.new_role("Keeper", {"kind": "RESOURCE", "item": "*", "update": "all", "read": "all"})
        await house.gateway.give(await house.gateway.join(keeper, house.mandate), house.mandate, role["id"])
        await house.gateway.sql(
            "DELETE FROM role_assignments WHERE membership_id = :id", id=house.memberships[house.administrator]
        )
        answer = await house.call(keeper, "PUT", f"/roles/{role['id']}/rules", json={"rules": []})
        assert (answer.status_code, answer.json()["code"]) == (409, "last_administrator")


class TestTheMandatesCaps:
    async def test_lower_everybody_at_once(self, house: House) -> None:
        await _cap(house, {"kind": "RESOURCE", "item": "invitations", "create": "none"})
        assert await house.may(house.administrator, "invitations", "create") == "none"

    async def test_lower_a_visiting_sysadmin_too(self, house: House) -> None:
        await _cap(house, {"kind": "RESOURCE", "item": "invitations", "create": "none"})
        assert await house.may(house.sysadmin, "invitations", "create") == "none"

    async def test_are_lifted_by_whoever_holds_what_they_take(self, house: House) -> None:
        await _cap(house, {"kind": "RESOURCE", "item": "invitations", "create": "none"})
        await _cap(house)
        assert await house.may(house.administrator, "invitations", "create") == "all"

    async def test_raise_nobody(self, house: House) -> None:
        await _cap(house, {"kind": "RESOURCE", "item": "invitations", "create": "all"})
        assert await house.may(house.member, "invitations", "create") == "none"

    async def test_stand_in_a_role_that_cannot_be_renamed(self, house: House) -> None:
        answer = await house.call(house.administrator, "PATCH", await _everyone(house), json={"name": "B"})
        assert (answer.status_code, answer.json()["code"]) == (409, "built_in_role")


async def _everyone(house: House) -> str:
    listed = (await house.call(house.administrator, "GET", "/roles")).json()["items"]
    return next(f"/roles/{role['id']}" for role in listed if (role["key"], role["scope"]) == ("everyone", "mandate"))


async def _cap(house: House, *rules: dict[str, str]) -> None:
    path = f"{await _everyone(house)}/rules"
    answer = await house.call(house.administrator, "PUT", path, json={"rules": rules})
    assert answer.status_code == 200, answer.text
