"""Global roles and the caps of the installation: effective everywhere at once, and changed only by who holds it all."""

from datetime import timedelta

import pytest

from modules.shared import clock
from tests.support.gateway import Person
from tests.support.house import House

ROLES = {"kind": "RESOURCE", "item": "admin.roles", "view": True, "create": "all", "read": "all", "update": "all"}
READ_INVITATIONS = {"kind": "RESOURCE", "item": "invitations", "read": "all"}


async def rules_of(house: House, key: str) -> str:
    listed = (await house.as_sysadmin("GET", "/admin/roles")).json()["items"]
    return next(f"/admin/roles/{role['id']}/rules" for role in listed if role["key"] == key)


@pytest.fixture
async def clerk(house: House) -> Person:
    """A member of the root mandate who may change global roles and holds little else."""
    person = await house.gateway.person()
    membership = await house.gateway.join(person, house.root)
    role = (await house.call(house.sysadmin, "POST", "/roles", json={"name": "Clerk"}, mandate=house.root)).json()
    answer = await house.call(
        house.sysadmin, "PUT", f"/roles/{role['id']}/rules", json={"rules": [ROLES]}, mandate=house.root
    )
    assert answer.status_code == 200, answer.text
    await house.gateway.give(membership, house.root, role["id"])
    return person


class TestATemplate:
    async def test_changes_in_every_mandate_at_once(self, house: House) -> None:
        answer = await house.as_sysadmin("POST", await rules_of(house, "member"), json=READ_INVITATIONS)
        assert answer.status_code == 201
        assert await house.may(house.member, "invitations", "read") == "all"

    async def test_of_the_operators_own_can_be_given_in_a_mandate(self, house: House) -> None:
        role = (await house.as_sysadmin("POST", "/admin/roles", json={"name": "Helper"})).json()
        await house.as_sysadmin("POST", f"/admin/roles/{role['id']}/rules", json=READ_INVITATIONS)
        body = {"membership_id": str(house.memberships[house.member])}
        answer = await house.call(house.administrator, "POST", f"/roles/{role['id']}/assignments", json=body)
        assert answer.status_code == 201
        assert await house.may(house.member, "invitations", "read") == "all"

    async def test_of_the_operators_own_is_taken_from_everybody_when_deleted(self, house: House) -> None:
        role = (await house.as_sysadmin("POST", "/admin/roles", json={"name": "Helper"})).json()
        await house.as_sysadmin("POST", f"/admin/roles/{role['id']}/rules", json=READ_INVITATIONS)
        await house.gateway.give(house.memberships[house.member], house.mandate, role["id"])
        assert (await house.as_sysadmin("DELETE", f"/admin/roles/{role['id']}")).status_code == 204
        assert await house.may(house.member, "invitations", "read") == "none"

    async def test_that_is_built_in_stays(self, house: House) -> None:
        path = (await rules_of(house, "viewer")).removesuffix("/rules")
        answer = await house.as_sysadmin("DELETE", path)
        assert (answer.status_code, answer.json()["code"]) == (409, "built_in_role")

    async def test_is_not_changed_by_somebody_who_holds_less(self, house: House, clerk: Person) -> None:
        path = await rules_of(house, "member")
        answer = await house.call(clerk, "POST", path, json=READ_INVITATIONS)
        assert (answer.status_code, answer.json()["code"]) == (403, "escalation_refused")

    async def test_that_somebody_was_promised_is_not_changed_by_whoever_holds_less(
        self, house: House, clerk: Person
    ) -> None:
        """Nor one that nobody was promised yet: a global role counts as given in every mandate."""
        role = (await house.as_sysadmin("POST", "/admin/roles", json={"name": "Helper"})).json()
        path = f"/admin/roles/{role['id']}/rules"
        assert (await house.call(clerk, "POST", path, json=READ_INVITATIONS)).json()["code"] == "escalation_refused"
        body = {
            "membership_id": str(house.memberships[house.member]),
            "valid_from": (clock.now() + timedelta(days=1)).isoformat(),
        }
        answer = await house.call(house.administrator, "POST", f"/roles/{role['id']}/assignments", json=body)
        assert answer.status_code == 201
        assert (await house.call(clerk, "POST", path, json=READ_INVITATIONS)).json()["code"] == "escalation_refused"
        assert (await house.as_sysadmin("POST", path, json=READ_INVITATIONS)).status_code == 201

    async def test_loses_no_rule_by_somebody_who_holds_less(self, house: House, clerk: Person) -> None:
        path = await rules_of(house, "member")
        answer = await house.call(clerk, "PUT", path, json={"rules": []})
        assert (answer.status_code, answer.json()["code"]) == (403, "escalation_refused")

    async def test_without_rules_is_made_by_whoever_may(self, house: House, clerk: Person) -> None:
        assert (await house.call(clerk, "POST", "/admin/roles", json={"name": "Empty"})).status_code == 201

    async def test_is_no_mandates_to_change(self, house: House) -> None:
        assert (await house.call(house.administrator, "GET", "/admin/roles")).status_code == 403

    async def test_is_not_the_flags_to_change(self, house: House) -> None:
        flagged = await house.gateway.person(sysadmin=True)
        assert (await house.call(flagged, "GET", "/admin/roles")).status_code == 403

    async def test_of_another_scope_is_not_found(self, house: House) -> None:
        role = await house.new_role("Clerk")
        assert (await house.as_sysadmin("GET", f"/admin/roles/{role['id']}")).status_code == 404


class TestTheCapsOfTheInstallation:
    async def test_bind_every_mandate_and_visitor(self, house: House) -> None:
        await house.as_sysadmin("POST", await rules_of(house, "everyone"), json={**READ_INVITATIONS, "read": "none"})
        for person in (house.administrator, house.stranger, house.sysadmin):
            assert await house.may(person, "invitations", "read") == "none"

    async def test_are_lifted_again(self, house: House) -> None:
        path = await rules_of(house, "everyone")
        await house.as_sysadmin("POST", path, json={**READ_INVITATIONS, "read": "none"})
        assert (await house.as_sysadmin("PUT", path, json={"rules": []})).status_code == 200
        assert await house.may(house.administrator, "invitations", "read") == "all"

    async def test_cannot_take_away_the_way_back(self, house: House) -> None:
        cap = {"kind": "RESOURCE", "item": "*", "update": "none"}
        answer = await house.as_sysadmin("POST", await rules_of(house, "everyone"), json=cap)
        assert (answer.status_code, answer.json()["code"]) == (409, "administration_lost")

    async def test_are_not_set_by_somebody_who_holds_less(self, house: House, clerk: Person) -> None:
        path = await rules_of(house, "everyone")
        answer = await house.call(clerk, "POST", path, json={**READ_INVITATIONS, "read": "none"})
        assert (answer.status_code, answer.json()["code"]) == (403, "escalation_refused")
