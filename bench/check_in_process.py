"""How fast a decision is once its rules are compiled, beside pycasbin on the same policy.

Three roles with forty rules each, one hundred items. Rounds of both are interleaved and the medians compared, so that a
busy machine slows both.

    python -m bench.check_in_process [--quick] [--json] [--write]
"""

import argparse
from collections.abc import Iterator
import json
from statistics import median
from timeit import Timer
from typing import Final
from uuid import UUID

import casbin

from bench import report
from modules.rbac.evaluator import CompiledRole, EffectiveTable
from modules.shared.catalogue import AccessLevel, Action, Item, ItemKind, Reach
from modules.shared.i18n import Text
from modules.shared.ids import RoleId
from modules.shared.rules import AccessRule, Priority, RoleBinding

RULES_PER_ROLE: Final = 40
ITEMS: Final = 100
MATRIX_ITEMS: Final = 1_000
GOAL: Final = 2_000_000

CASBIN_MODEL: Final = """
[request_definition]
r = kind, path, action
[policy_definition]
p = priority, kind, base, action, eft
[policy_effect]
e = priority(p.eft) || deny
[matchers]
m = r.action == p.action && r.kind == p.kind && (r.path == p.base || keyMatch(r.path, p.base))
"""


def main() -> None:
    """Measure, print the figures for a person, and as JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--write", action="store_true", help="write the figures into docs/performance.md")
    options = parser.parse_args()
    rounds = 3 if options.quick else 9
    figures = measure(rounds)
    for name, figure in figures.items():
        print(f"{name:>28}  {figure:>14,.4g}")
    if options.write:
        report.write("One decision", _section(figures, rounds))
    if options.json:
        print(json.dumps({name: round(figure, 3) for name, figure in figures.items()}))


def _section(figures: dict[str, float], rounds: int) -> str:
    def rate(name: str) -> str:
        return f"{figures[name]:,.0f}".replace(",", " ")

    reached = "Reached." if figures["checks_per_second"] >= GOAL else "Not reached in this run."
    head = ["", "per second", "× casbin"]
    rows = [
        ["asked before in this table", rate("checks_per_second"), f"{figures['ratio_casbin']:.0f}"],
        ["asked for the first time", rate("unremembered_per_second"), f"{figures['ratio_casbin_unremembered']:.0f}"],
        ["pycasbin", rate("casbin_per_second"), "1"],
    ]
    return f"""{report.measured("python -m bench.check_in_process", "casbin")}

One decision of somebody with three roles of {RULES_PER_ROLE} rules each, once the rules are compiled; pycasbin on the
same policy gives the same answers. {rounds} interleaved rounds, medians, no database.
Goal: {GOAL / 1e6:.0f} million decisions per second. {reached}

{report.table(head, rows)}

Compiling the three roles takes {figures["compile_milliseconds"]:.2f} ms, explaining one decision
{figures["explain_milliseconds"]:.2f} ms, deciding on {MATRIX_ITEMS} items {figures["matrix_1000_milliseconds"]:.2f} ms.
"""


def measure(rounds: int) -> dict[str, float]:
    """Median rates (per second), times (milliseconds) and their ratio to casbin."""
    rules = list(policy())
    items = [item(number) for number in range(ITEMS)]
    matrix_items = [item(number) for number in range(MATRIX_ITEMS)]
    table = compile_table(rules)
    enforcer = casbin_enforcer(rules)
    assert_same_answers(table, enforcer, items)

    asked = items[ITEMS // 2]
    action = Action.READ
    question = (str(asked.kind), asked.path, str(action))
    seconds = interleaved(
        rounds,
        {
            "check": (Timer("table.can(asked, action)", globals=locals()), 200_000),
            "undeclared": (Timer(lambda: table.level_at(asked.kind, asked.path, action, asked.reach)), 20_000),
            "casbin": (Timer(lambda: enforcer.enforce(*question)), 20),
            "compile": (Timer(lambda: compile_table(rules)), 20),
            "explain": (Timer(lambda: table.explain(asked, action)), 50),
            "matrix": (Timer(lambda: [table.level(each, action) for each in matrix_items]), 20),
        },
    )
    return {
        "checks_per_second": 1 / seconds["check"],
        "unremembered_per_second": 1 / seconds["undeclared"],
        "casbin_per_second": 1 / seconds["casbin"],
        "ratio_casbin": seconds["casbin"] / seconds["check"],
        "ratio_casbin_unremembered": seconds["casbin"] / seconds["undeclared"],
        "compile_milliseconds": 1_000 * seconds["compile"],
        "explain_milliseconds": 1_000 * seconds["explain"],
        "matrix_1000_milliseconds": 1_000 * seconds["matrix"],
    }


def interleaved(rounds: int, timers: dict[str, tuple[Timer, int]]) -> dict[str, float]:
    """Median seconds of one call of each, all measured once per round."""
    rows = [{name: timer.timeit(number) / number for name, (timer, number) in timers.items()} for _ in range(rounds)]
    return {name: median(row[name] for row in rows) for name in timers}


def policy() -> Iterator[tuple[RoleBinding, AccessRule]]:
    """A global, a mandate and an instance role: exact items, wildcards and a star, each with yes and no."""
    for priority in Priority:
        role_id = RoleId(UUID(int=priority))
        binding = RoleBinding(role_id, UUID(int=priority), priority)
        for number in range(RULES_PER_ROLE - 1):
            level = AccessLevel.ALL if number % 3 else AccessLevel.NONE
            pattern = f"feature-{number}.*" if number % 4 == 0 else f"feature-{number}.item-{priority}"
            yield binding, AccessRule(role_id, ItemKind.DATA, pattern, None, level, level, level, level)
        if priority is Priority.GLOBAL:
            yield binding, AccessRule(role_id, ItemKind.DATA, "*", True, read=AccessLevel.MY)


def item(number: int) -> Item:
    """One of many items, spread over the features the policy speaks about."""
    name = f"feature-{number % RULES_PER_ROLE}.item-{number % 5}" + (f".part-{number}" if number >= ITEMS else "")
    return Item(name, ItemKind.DATA, Reach.INSTANCE, Text(en=name, de=name))


def compile_table(rules: list[tuple[RoleBinding, AccessRule]]) -> EffectiveTable:
    """The effective table of someone with all three roles."""
    bindings = {binding for binding, _ in rules}
    compiled = {
        (role.role_id, role.version): CompiledRole(
            role.role_id, role.version, [rule for binding, rule in rules if binding == role]
        )
        for role in bindings
    }
    return EffectiveTable(bindings, compiled)


def casbin_enforcer(rules: list[tuple[RoleBinding, AccessRule]]) -> casbin.Enforcer:
    """The same policy as lines of casbin's priority model, whether anything at all is allowed."""
    model = casbin.Model()
    model.load_model_from_text(CASBIN_MODEL)
    enforcer = casbin.Enforcer(model)
    lines = (line for binding, rule in rules for line in casbin_lines(binding, rule))
    enforcer.add_policies(sorted(lines, key=lambda line: int(line[0])))
    return enforcer


def casbin_lines(binding: RoleBinding, rule: AccessRule) -> Iterator[list[str]]:
    """One line per column with an opinion; smaller priorities decide first. The policy has no bare ancestors."""
    order = str(1_000 * (3 - binding.priority) + 100 * (9 - rule.item.count(".") + rule.item.count("*")))
    for action in Action:
        level = rule.level(action)
        if level is not None:
            yield [order, str(rule.kind), rule.item, str(action), "allow" if level else "deny"]


def assert_same_answers(table: EffectiveTable, enforcer: casbin.Enforcer, items: list[Item]) -> None:
    """A race between two that answer differently would mean nothing."""
    for each in items:
        for action in (Action.READ, Action.UPDATE):
            assert table.can(each, action) == enforcer.enforce(str(each.kind), each.path, str(action)), each.path


if __name__ == "__main__":
    main()
