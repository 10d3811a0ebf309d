"""Questions about rights, by HTTP: the context, may I, why, and what each role gives."""

import pytest

from tests.support.house import House

READ_MEMBERS = {"kind": "RESOURCE", "item": "members", "read": "all"}


class TestTheContext:
    async def test_tells_who_and_where(self, house: House) -> None:
        context = (await house.call(house.member, "GET", "/context")).json()
        assert (context["user"]["id"], context["mandate"]["slug"]) == (str(house.member.id), "acme")
        assert (context["via"], context["instance"], context["login_policy"]) == ("membership", None, None)

    async def test_names_roles_and_groups(self, house: House) -> None:
        await house.gateway.sql(
            "WITH g AS (INSERT INTO groups (id, mandate_id, name)"
            " VALUES (gen_random_uuid(), :mandate, 'Sales') RETURNING id)"
            " INSERT INTO group_members (mandate_id, group_id, user_id) SELECT :mandate, id, :user FROM g",
            mandate=house.mandate,
            user=house.member.id,
        )
        context = (await house.call(house.member, "GET", "/context")).json()
        assert [role["key"] for role in context["roles"]] == ["member"]
        assert [group["name"] for group in context["groups"]] == ["Sales"]

    async def test_tells_the_level_of_every_action(self, house: House) -> None:
        context = (await house.call(house.member, "GET", "/context")).json()
        members = next(each for each in context["permissions"] if each["item"] == "members")
        assert members["levels"] == {"create": "none", "delete": "none", "read": "all", "update": "none", "view": "all"}

    async def test_tells_items_of_the_installation_in_the_root_mandate_alone(self, house: House) -> None:
        here = (await house.call(house.sysadmin, "GET", "/context")).json()["permissions"]
        root = (await house.call(house.sysadmin, "GET", "/context", mandate=house.root)).json()["permissions"]
        assert [item for item in here if item["reach"] == "installation"] == []
        levels = next(each["levels"] for each in root if each["item"] == "admin.roles")
        assert levels["update"] == "all"

    async def test_names_what_a_visitor_brought_along(self, house: House) -> None:
        context = (await house.call(house.sysadmin, "GET", "/context")).json()
        assert (context["via"], [role["key"] for role in context["roles"]]) == ("entry", ["sysadmin"])

    async def test_tells_the_login_policy(self, house: House) -> None:
        await house.gateway.sql(
            """UPDATE mandates SET login_policy = '{"authorities": ["local"]}' WHERE id = :id""", id=house.mandate
        )
        context = (await house.call(house.member, "GET", "/context")).json()
        assert context["login_policy"]["authorities"] == ["local"]

    async def test_is_refused_to_strangers(self, house: House) -> None:
        answer = await house.call(house.stranger, "GET", "/context", mandate=house.mandate)
        assert (answer.status_code, answer.json()["code"]) == (403, "not_a_member")


class TestCheck:
    async def test_answers_in_the_order_of_the_questions(self, house: House) -> None:
        questions = [{"item": "members", "action": action} for action in ("read", "create")]
        answer = await house.call(house.member, "POST", "/rbac/check", json={"checks": questions})
        told = [(each["allowed"], each["level"], each["reason"]) for each in answer.json()["results"]]
        assert told == [(True, "all", "granted"), (False, "none", "denied_by_rule")]

    @pytest.mark.parametrize(
        ("question", "code"),
        [
            ({"item": "member", "action": "read"}, "unknown_item"),
            ({"item": "administration", "action": "read"}, "unknown_action"),
            ({"item": "members", "action": "read", "field": "salary"}, "unknown_field"),
            ({"item": "members", "action": "read", "kind": "DATA"}, "unknown_item"),
        ],
    )
    async def test_refuses_what_nobody_declared(self, house: House, question: dict[str, str], code: str) -> None:
        answer = await house.call(house.member, "POST", "/rbac/check", json={"checks": [question]})
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert answer.json()["errors"][0]["pointer"].startswith("/checks/0/")

    async def test_refuses_more_than_200_questions(self, house: House) -> None:
        questions = [{"item": "members", "action": "read"}] * 201
        answer = await house.call(house.member, "POST", "/rbac/check", json={"checks": questions})
        assert answer.status_code == 422


class TestExplain:
    async def test_tells_the_reason_alone_to_those_who_may_not_read_roles(self, house: House) -> None:
        question = {"item": "members", "action": "create"}
        answer = (await house.call(house.member, "POST", "/rbac/explain", json=question)).json()
        assert (answer["reason"], answer["reasons"]) == ("denied_by_rule", None)

    async def test_names_the_rule_that_decided_and_those_that_did_not(self, house: House) -> None:
        everything = {"kind": "RESOURCE", "item": "*", "read": "all"}
        person = await house.person_with(everything, {**READ_MEMBERS, "read": "my"})
        question = {"item": "members", "action": "read"}
        reasons = (await house.call(person, "POST", "/rbac/explain", json=question)).json()["reasons"]
        assert [rule["item"] for rule in reasons["winning"]] == ["members"]
        assert [rule["item"] for rule in reasons["shadowed"]] == ["*"]
        assert reasons["winning"][0]["role"] == reasons["roles"][0]["name"]

    async def test_tells_the_smallest_grant_that_would_help(self, house: House) -> None:
        reader = await house.person_with({"kind": "RESOURCE", "item": "rbac.roles", "read": "all"})
        question = {"item": "members", "action": "update"}
        reasons = (await house.call(reader, "POST", "/rbac/explain", json=question)).json()["reasons"]
        assert reasons["missing"] == {
            "scope": "mandate",
            "kind": "RESOURCE",
            "item": "members",
            "action": "update",
            "level": "my",
        }


class TestMatrix:
    async def test_tells_what_each_role_gives(self, house: House) -> None:
        role = await house.new_role("Clerk", READ_MEMBERS)
        matrix = (await house.call(house.administrator, "GET", "/rbac/matrix")).json()
        row = next(each for each in matrix["roles"] if each["role"]["id"] == role["id"])
        levels = {cell["item"]: cell["levels"].get("read") for cell in row["cells"]}
        assert (levels["members"], levels["groups"]) == ("all", "none")

    async def test_leaves_the_installation_out(self, house: House) -> None:
        matrix = (await house.call(house.administrator, "GET", "/rbac/matrix")).json()
        assert "installation" not in {item["reach"] for item in matrix["items"]}

    async def test_is_not_for_members(self, house: House) -> None:
        assert (await house.call(house.member, "GET", "/rbac/matrix")).status_code == 403
