"""Decisions on the wire: may I, why, and what each role gives."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from modules.rbac.schemas.levels import LevelName
from modules.rbac.schemas.roles import ItemPattern, RuleWrite
from modules.shared.catalogue import Action, ItemKind, Reach
from modules.shared.rules import Reason
from modules.shared.wire import WireModel

Scope = Literal["global", "mandate", "instance"]
Levels = dict[Action, LevelName]


class CheckQuestion(WireModel):
    """One question, as "may I?"."""

    item: ItemPattern
    action: Action
    kind: ItemKind | None = Field(default=None, description="Needed only where kinds share the item's path.")
    field: Annotated[str, StringConstraints(max_length=120)] | None = Field(
        default=None, description="A field of the item that has rules of its own."
    )


class CheckRequest(WireModel):
    """Up to 200 questions at once."""

    checks: list[CheckQuestion] = Field(min_length=1, max_length=200)


class CheckAnswer(BaseModel):
    """The level, and what it comes to."""

    item: str
    action: Action
    field: str | None
    allowed: bool
    level: LevelName
    reason: Reason


class CheckResponse(BaseModel):
    """The answers in the order of the questions."""

    results: list[CheckAnswer]


class BoundRuleRead(RuleWrite):
    """A rule that had an opinion, with the role it belongs to and the scope that role is held at."""

    role_id: UUID
    role: str
    scope: Scope


class MissingGrant(BaseModel):
    """The smallest single grant that would make the answer a yes."""

    scope: Scope
    kind: ItemKind
    item: str
    action: Action
    level: LevelName


class RoleUsed(BaseModel):
    """A role held here."""

    id: UUID
    scope: Scope
    key: str | None
    name: str


class Reasons(BaseModel):
    """Everything behind a decision."""

    allowed: bool
    level: LevelName
    gate: Literal["passed"] = Field(
        default="passed", description="Without passing the gates there is no context to ask in."
    )
    roles: list[RoleUsed]
    winning: list[BoundRuleRead] = Field(description="The rules that decided, of the item and of its field.")
    shadowed: list[BoundRuleRead] = Field(description="Rules with an opinion that did not count.")
    caps: list[BoundRuleRead] = Field(description="Locked rules that lowered the result.")
    missing: MissingGrant | None = Field(description="Null when allowed, or when no single grant would help.")


class ExplainResponse(BaseModel):
    """Why a decision is what it is. Those who may not read roles learn the reason alone."""

    reason: Reason
    request_id: str = Field(description="To be told to somebody who may read more.")
    reasons: Reasons | None


class Label(BaseModel):
    """A text in every language of the product."""

    en: str
    de: str


class ItemRead(BaseModel):
    """Something that can be permitted."""

    kind: ItemKind
    item: str
    reach: Reach
    label: Label
    actions: list[Action]
    fields: list[str]


class ItemList(BaseModel):
    """Everything that can be permitted here."""

    items: list[ItemRead]
    next_cursor: None = Field(default=None, description="Always null: the list is complete.")


class MatrixCell(BaseModel):
    """What one role gives on one item."""

    kind: ItemKind
    item: str
    levels: Levels


class MatrixRow(BaseModel):
    """What one role alone gives, lowered by the caps."""

    role: RoleUsed
    instance_id: UUID | None
    cells: list[MatrixCell]


class Matrix(BaseModel):
    """Roles × items."""

    items: list[ItemRead]
    roles: list[MatrixRow]
