"""What a process keeps between requests: compiled roles and effective tables, bounded by bytes."""

from uuid import uuid4

import pytest

from modules.rbac.evaluator import CompiledRole, CompiledRoles, EffectiveTable, RoleVersion
from modules.rbac.service.effective_tables import EffectiveTables
from modules.shared.catalogue import Action, ItemCatalogue
from modules.shared.ids import RoleId
from modules.shared.rules import Priority, RoleBinding
from tests.rbac.policies import ALL, in_mandate, item, rule, table

INVOICES = item("invoices")


class TestCompiledRoles:
    def test_are_found_by_role_and_version(self) -> None:
        roles = CompiledRoles(10_000)
        role = CompiledRole(RoleId(uuid4()), uuid4(), [rule("a", read=ALL)])
        roles.keep(role)
        assert roles.find([_binding(role)]) == {(role.role_id, role.version): role}

    def test_are_not_found_under_another_version(self) -> None:
        roles = CompiledRoles(10_000)
        role = CompiledRole(RoleId(uuid4()), uuid4(), [rule("a", read=ALL)])
        roles.keep(role)
        assert roles.find([_binding(role)._replace(version=uuid4())]) == {}

    def test_stay_within_their_bytes(self) -> None:
        roles = CompiledRoles(10_000)
        for _ in range(100):
            roles.keep(_role_of(5))
        assert 0 < roles.size <= 10_000

    def test_drop_the_least_recently_used(self) -> None:
        first, second, third = (_role_of(5) for _ in range(3))
        roles = CompiledRoles(2 * first.size)
        roles.keep(first)
        roles.keep(second)
        roles.find([_binding(first)])
        roles.keep(third)
        assert set(roles.find(map(_binding, (first, second, third)))) == {
            (first.role_id, first.version),
            (third.role_id, third.version),
        }

    def test_do_not_keep_a_role_larger_than_everything(self) -> None:
        roles = CompiledRoles(1_000)
        roles.keep(_role_of(500))
        assert (len(roles), roles.size) == (0, 0)

    def test_weigh_more_with_more_rules(self) -> None:
        assert _role_of(400).size > 5 * _role_of(40).size


class TestEffectiveTables:
    async def test_are_shared_by_callers_who_hold_the_same_roles(self) -> None:
        role = _role_of(2)
        tables = _tables_of(role)
        made = await tables.make((_held(role), None, ""))
        assert tables.find((_held(role), None, "")) is made

    @pytest.mark.parametrize("priority_and_marks", ["1", "2r", "2d"])
    async def test_are_not_shared_when_anything_about_a_binding_differs(self, priority_and_marks: str) -> None:
        role = _role_of(2)
        tables = _tables_of(role)
        await tables.make((_held(role), None, ""))
        assert tables.find((_held(role, priority_and_marks), None, "")) is None

    async def test_are_not_shared_under_other_caps(self) -> None:
        role = _role_of(2)
        tables = _tables_of(role)
        await tables.make((_held(role), None, ""))
        assert tables.find((_held(role), None, _held(role))) is None

    async def test_decide_by_newer_rules_but_do_not_keep_them_under_an_older_version(self) -> None:
        older, role_id = uuid4(), RoleId(uuid4())
        tables = _tables_of(CompiledRole(role_id, uuid4(), [rule("invoices", read=ALL)]))
        held = (f"{role_id}|{older}|2", None, "")
        assert (await tables.make(held)).level(INVOICES, Action.READ) is ALL
        assert tables.find(held) is None

    def test_refuse_to_decide_without_one_of_the_roles(self) -> None:
        with pytest.raises(KeyError):
            EffectiveTable([_binding(_role_of(1))], {})

    def test_count_the_answers_they_remember(self) -> None:
        effective = table(in_mandate(rule("invoices", read=ALL)))
        before = effective.size
        effective.level(INVOICES, Action.READ)
        assert effective.size > before

    def test_do_not_remember_undeclared_fields(self) -> None:
        effective = table(in_mandate(rule("invoices", read=ALL)))
        before = effective.size
        effective.level(INVOICES, Action.READ, "made-up")
        assert effective.size == before


def _role_of(number_of_rules: int) -> CompiledRole:
    rules = [rule(f"item-{number}", read=ALL) for number in range(number_of_rules)]
    return CompiledRole(RoleId(uuid4()), uuid4(), rules)


def _binding(role: CompiledRole) -> RoleBinding:
    return RoleBinding(role.role_id, role.version, Priority.MANDATE)


def _held(role: CompiledRole, priority_and_marks: str = "2") -> str:
    return f"{role.role_id}|{role.version}|{priority_and_marks}"


def _tables_of(*roles: CompiledRole) -> EffectiveTables:
    async def as_they_are_now(role_ids: set[RoleId]) -> dict[RoleVersion, CompiledRole]:
        return {(role.role_id, role.version): role for role in roles if role.role_id in role_ids}

    return EffectiveTables(as_they_are_now, ItemCatalogue(), 100_000)
