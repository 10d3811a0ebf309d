"""What a process keeps between requests: compiled roles and effective tables, bounded by bytes."""

from uuid import uuid4

import pytest

from modules.rbac.evaluator import CompiledRole, CompiledRoles, EffectiveTables
from modules.shared.catalogue import Action
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
    def test_are_shared_by_callers_with_the_same_bindings_in_any_order(self) -> None:
        tables = EffectiveTables(100_000)
        roles = [_role_of(2), _role_of(3)]
        bindings = [_binding(role) for role in roles]
        built = tables.build(bindings, {(role.role_id, role.version): role for role in roles})
        assert tables.find(reversed(bindings)) is built

    @pytest.mark.parametrize(
        "change",
        [{"version": uuid4()}, {"priority": Priority.GLOBAL}, {"from_root_mandate": True}, {"answers_data": False}],
    )
    def test_are_not_shared_when_anything_about_a_binding_differs(self, change: dict[str, object]) -> None:
        tables = EffectiveTables(100_000)
        role = _role_of(2)
        tables.build([_binding(role)], {(role.role_id, role.version): role})
        assert tables.find([_binding(role)._replace(**change)]) is None  # type: ignore[arg-type]

    def test_are_not_shared_under_other_caps(self) -> None:
        tables = EffectiveTables(100_000)
        role = _role_of(2)
        tables.build([_binding(role)], {(role.role_id, role.version): role})
        assert tables.find([_binding(role)], [_binding(role)]) is None

    def test_refuse_to_decide_without_one_of_the_roles(self) -> None:
        with pytest.raises(KeyError):
            EffectiveTables(100_000).build([_binding(_role_of(1))], {})

    def test_count_the_answers_they_remember(self) -> None:
        tables = EffectiveTables(1_000_000)
        role = _role_of(2)
        built = tables.build([_binding(role)], {(role.role_id, role.version): role})
        before = tables.size
        built.level(INVOICES, Action.READ)
        tables.find([_binding(role)])
        assert tables.size > before

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
