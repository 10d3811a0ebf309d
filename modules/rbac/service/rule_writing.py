"""Turning a rule as written into one that may be stored: it must speak of something declared, in columns that exist for
it.
"""

from modules.rbac.errors import UnknownAction
from modules.rbac.models import RoleRule
from modules.rbac.schemas.levels import level_name, level_of
from modules.rbac.schemas.roles import RuleRead, RuleWrite
from modules.rbac.service.items import unknown_item
from modules.shared.catalogue import AccessLevel, Action, ItemCatalogue, ItemKind
from modules.shared.ids import MandateId, RoleId, new_id
from modules.shared.rules import EVERYTHING, parse_pattern


def stored_rule(
    rule: RuleWrite, mandate_id: MandateId, role_id: RoleId, catalogue: ItemCatalogue, pointer: str
) -> RoleRule:
    """The row for `rule`.

    Raises InvalidPattern, UnknownItem (with the nearest names) when no declared item lies at or below the path, and
    UnknownAction for a column none of those items has.
    """
    check_rule(rule, catalogue, pointer)
    return RoleRule(
        id=new_id(),
        mandate_id=mandate_id,
        role_id=role_id,
        kind=rule.kind.value,
        item=rule.item,
        may_view=rule.view,
        may_create=level_of(rule.create),
        may_read=level_of(rule.read),
        may_update=level_of(rule.update),
        may_delete=level_of(rule.delete),
    )


def check_rule(rule: RuleWrite, catalogue: ItemCatalogue, pointer: str) -> None:
    """Refuse a rule that could never answer anything."""
    base = parse_pattern(rule.item).base
    if rule.item == EVERYTHING:
        actions = frozenset({Action.VIEW}) if rule.kind is ItemKind.UI else frozenset(Action)
    else:
        actions = _actions_at(rule.kind, base, catalogue)
        if not actions:
            raise unknown_item(catalogue, rule.kind, rule.item, f"{pointer}/item")
    for action in Action:
        if getattr(rule, action.value) is not None and action not in actions:
            raise UnknownAction(pointer=f"{pointer}/{action}", item=rule.item, action=action.value)


def _actions_at(kind: ItemKind, base: str, catalogue: ItemCatalogue) -> frozenset[Action]:
    """What can be done with the items at or below `base`; a field of an item has the item's actions."""
    found: set[Action] = set()
    for item in catalogue:
        fields = {f"{item.path}.{name}" for name in item.fields}
        if item.kind is kind and (item.path == base or item.path.startswith(f"{base}.") or base in fields):
            found |= item.actions
    return frozenset(found)


def written_rule(row: RoleRule) -> RuleRead:
    """A stored rule as read."""
    create, read, update, delete = (
        None if level is None else level_name(AccessLevel(level))
        for level in (row.may_create, row.may_read, row.may_update, row.may_delete)
    )
    return RuleRead(
        id=row.id,
        kind=ItemKind(row.kind),
        item=row.item,
        view=row.may_view,
        create=create,
        read=read,
        update=update,
        delete=delete,
    )
