"""The table-level decision as a policy of casbin: another library's engine answers the same question.

The rules become lines of a priority model, the strongest first; our evaluator has no part in it.
"""

from collections.abc import Iterable, Iterator
import re

import casbin

from modules.rbac.explanation import BoundRule
from modules.shared.catalogue import AccessLevel, Action, Item
from modules.shared.rules import Priority

_MODEL = """
[request_definition]
r = kind, path, action, level, reach

[policy_definition]
p = priority, kind, pattern, action, level, scope, root, data, eft

[policy_effect]
e = priority(p.eft) || deny

[matchers]
m = r.kind == p.kind && r.action == p.action && r.level == p.level && regexMatch(r.path, p.pattern) \
 && (r.reach != "installation" || p.root == "root") && (r.reach == "instance" || p.scope != "INSTANCE") \
 && (r.kind != "DATA" || p.data == "data")
"""
_LEVELS = (AccessLevel.MY, AccessLevel.GROUP, AccessLevel.ALL)


class CasbinOracle:
    """Answers how far an action on an item reaches, by asking casbin whether it reaches each level."""

    def __init__(self, rules: Iterable[BoundRule], caps: Iterable[BoundRule]) -> None:
        locked = [cap for cap in caps if cap[1].locked]
        scopes = [[cap for cap in locked if cap[0].priority is scope] for scope in Priority]
        self._grants = _enforcer(line for rule in rules if not rule[1].locked for line in _lines(rule))
        self._caps = [_enforcer([*_cap_lines(scope), *_UNCAPPED]) for scope in scopes if scope]

    def level(self, item: Item, action: Action) -> AccessLevel:
        reached = [level for level in _LEVELS if self._reaches(item, action, level)]
        return max(reached, default=AccessLevel.NONE)

    def _reaches(self, item: Item, action: Action, level: AccessLevel) -> bool:
        question = (str(item.kind), item.path, str(action), level.name, str(item.reach))
        return all(enforcer.enforce(*question) for enforcer in (self._grants, *self._caps))


def _enforcer(lines: Iterable[tuple[str, ...]]) -> casbin.Enforcer:
    model = casbin.Model()
    model.load_model_from_text(_MODEL)
    enforcer = casbin.Enforcer(model)
    # casbin orders by priority what it loads from a file, but keeps lines given to it here as they come.
    enforcer.add_policies(sorted(set(lines)))
    return enforcer


def _lines(bound: BoundRule) -> Iterator[tuple[str, ...]]:
    binding, rule = bound
    for action in Action:
        answer = rule.level(action)
        for level in _LEVELS if answer is not None else ():
            yield (
                _order(bound, answer or AccessLevel.NONE),
                str(rule.kind),
                _expression(rule.item),
                str(action),
                level.name,
                binding.priority.name,
                "root" if binding.from_root_mandate else "",
                "data" if binding.answers_data else "",
                "allow" if answer and answer >= level else "deny",
            )


def _cap_lines(caps: Iterable[BoundRule]) -> Iterator[tuple[str, ...]]:
    """A cap binds visitors, and a global one binds the installation wherever it comes from."""
    for binding, rule in caps:
        root = binding.from_root_mandate or binding.priority is Priority.GLOBAL
        yield from _lines((binding._replace(from_root_mandate=root, answers_data=True), rule))


_UNCAPPED = [
    ("9999", kind, ".*", str(action), level.name, "", "root", "data", "allow")
    for kind in ("DATA", "UI", "RESOURCE")
    for action in Action
    for level in _LEVELS
]


def _order(bound: BoundRule, level: AccessLevel) -> str:
    """Smaller decides earlier: scope, then length of the item, then below before at, then generosity."""
    binding, rule = bound
    length = len(re.findall(r"[^.*]+", rule.item))
    digits = (3 - binding.priority, 9 - length, 0 if rule.item.endswith(".*") else 1, 3 - level)
    return "".join(map(str, digits))


def _expression(pattern: str) -> str:
    if pattern == "*":
        return "^.*$"
    base = re.escape(pattern.removesuffix(".*"))
    return rf"^{base}\..+$" if pattern.endswith(".*") else rf"^{base}(\..+)?$"
