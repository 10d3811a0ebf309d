"""Answering questions about rights: may I, why (not), and what each role gives."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from modules.rbac.evaluator import EffectiveTable
from modules.rbac.explanation import BoundRule, Explanation, Grant, Question
from modules.rbac.models import Role
from modules.rbac.repository.holders import binding_of, caps_of, compile_bound
from modules.rbac.repository.roles import list_roles
from modules.rbac.schemas.decisions import (
    BoundRuleRead,
    CheckAnswer,
    CheckQuestion,
    ExplainResponse,
    ItemRead,
    Label,
    Matrix,
    MatrixCell,
    MatrixRow,
    MissingGrant,
    Reasons,
    RoleUsed,
    Scope,
)
from modules.rbac.schemas.levels import level_name, opinion_name
from modules.rbac.scoped_table import KEY_ROLE
from modules.rbac.service.contexts import ContextService
from modules.rbac.service.items import items_shown, question_of
from modules.shared.catalogue import AccessLevel, Action, Item
from modules.shared.context import RequestContext
from modules.shared.rules import Priority, Reason

_SCOPES: Mapping[Priority, Scope] = {
    Priority.GLOBAL: "global",
    Priority.MANDATE: "mandate",
    Priority.INSTANCE: "instance",
}


class DecisionService:
    """Asks the very rules that decide requests."""

    def __init__(self, contexts: ContextService) -> None:
        self._contexts = contexts

    def check(self, context: RequestContext, asked: Sequence[CheckQuestion]) -> list[CheckAnswer]:
        """The caller's own answers here. Raises UnknownItem, UnknownAction, UnknownField, InstanceRequired."""
        questions = [question_of(context, each, f"/checks/{place}") for place, each in enumerate(asked)]
        return [_answer(context, question) for question in questions]

    async def explain(self, context: RequestContext, asked: CheckQuestion) -> ExplainResponse:
        """Why the caller's own answer is what it is: in full for those who may read roles."""
        question = question_of(context, asked, "")
        explanation = _explanation(context, question)
        told = ExplainResponse(reason=explanation.reason, request_id=context.client.request_id, reasons=None)
        if context.can("rbac.roles", Action.READ):
            told.reasons = _reasons(explanation, await self._contexts.roles_used(context))
        return told

    def items(self, context: RequestContext) -> list[ItemRead]:
        """What can be permitted here."""
        return [_read(item) for item in items_shown(context.catalogue, in_root=context.mandate.is_root)]

    async def matrix(self, context: RequestContext) -> Matrix:
        """What each role that can be given here gives alone, lowered by the caps."""
        found = await list_roles(context.db, context.mandate.id)
        roles = [role for role in found if role.key != "everyone"]
        held = {
            role.id: binding_of(role.id, role.version, role.scope, is_root=context.mandate.is_root) for role in roles
        }
        caps = await caps_of(context.db, context.mandate.id)
        compiled = await compile_bound(context.db, {*held.values(), *caps}, {})
        items = list(items_shown(context.catalogue, in_root=context.mandate.is_root))
        return Matrix(
            items=[_read(item) for item in items],
            roles=[_row(role, EffectiveTable([held[role.id]], compiled, caps), items) for role in roles],
        )


def _answer(context: RequestContext, question: Question) -> CheckAnswer:
    level = context.permissions.level(question.item, question.action, question.field)
    return CheckAnswer(
        item=question.item.path,
        action=question.action,
        field=question.field,
        allowed=level > AccessLevel.NONE,
        level=level_name(level),
        reason=Reason.GRANTED if level else _explanation(context, question).reason,
    )


def _explanation(context: RequestContext, question: Question) -> Explanation:
    explanation: Explanation = context.permissions.explain(question.item, question.action, question.field)
    return explanation


def _reasons(explanation: Explanation, roles: list[RoleUsed]) -> Reasons:
    names = {role.id: role.name for role in roles} | {KEY_ROLE: "API key"}
    return Reasons(
        allowed=explanation.allowed,
        level=level_name(explanation.level),
        roles=roles,
        winning=_rules(explanation.winning, names),
        shadowed=_rules(explanation.shadowed, names),
        caps=_rules(explanation.caps, names),
        missing=_missing(explanation.missing) if explanation.missing else None,
    )


def _rules(rules: Iterable[BoundRule], names: Mapping[UUID, str]) -> list[BoundRuleRead]:
    """Rules with the names of their roles; a cap's role is no role of the caller's, and is always an `everyone`."""
    return [
        BoundRuleRead(
            role_id=rule.role_id,
            role=names.get(rule.role_id, "everyone"),
            scope=_SCOPES[binding.priority],
            kind=rule.kind,
            item=rule.item,
            view=rule.view,
            create=opinion_name(rule.create),
            read=opinion_name(rule.read),
            update=opinion_name(rule.update),
            delete=opinion_name(rule.delete),
        )
        for binding, rule in rules
    ]


def _missing(grant: Grant) -> MissingGrant:
    return MissingGrant(
        scope=_SCOPES[grant.priority],
        kind=grant.kind,
        item=grant.item,
        action=grant.action,
        level=level_name(grant.level),
    )


def _row(role: Role, table: EffectiveTable, items: Iterable[Item]) -> MatrixRow:
    return MatrixRow(
        role=RoleUsed(id=role.id, scope=role.scope, key=role.key, name=role.name),  # type: ignore[arg-type] # CHECK
        instance_id=role.instance_id,
        cells=[
            MatrixCell(
                kind=item.kind,
                item=item.path,
                levels={action: level_name(table.level(item, action)) for action in sorted(item.actions)},
            )
            for item in items
        ],
    )


def _read(item: Item) -> ItemRead:
    return ItemRead(
        kind=item.kind,
        item=item.path,
        reach=item.reach,
        label=Label(en=item.label.en, de=item.label.de),
        actions=sorted(item.actions),
        fields=sorted(item.fields),
    )
