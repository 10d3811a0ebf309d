"""Roles and their rules on the wire. In a column of a rule, null is no opinion."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from modules.rbac.schemas.levels import LevelName
from modules.shared.catalogue import ItemKind
from modules.shared.merge_patch import MergePatch
from modules.shared.wire import WireModel

RoleName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Description = Annotated[str, StringConstraints(max_length=500)]
ItemPattern = Annotated[str, StringConstraints(min_length=1, max_length=122)]


class RuleWrite(WireModel):
    """One rule of a role: an opinion on an item per column."""

    kind: ItemKind = Field(description="DATA, UI or RESOURCE; a rule of one kind never answers for another.")
    item: ItemPattern = Field(description="A dotted path, everything below one (`a.b.*`), or `*`.")
    view: bool | None = None
    create: LevelName | None = None
    read: LevelName | None = None
    update: LevelName | None = None
    delete: LevelName | None = None


class RuleRead(RuleWrite):
    """A rule as it stands."""

    id: UUID


class RulesReplace(WireModel):
    """All rules of a role."""

    rules: list[RuleWrite] = Field(max_length=1000)


class RoleCreate(WireModel):
    """A role of the mandate, or of one of its instances."""

    name: RoleName
    description: Description = ""
    instance_id: UUID | None = Field(default=None, description="The instance the role belongs to; null: the mandate.")


class RoleDuplicate(WireModel):
    """A copy of a role, with its rules as they are now."""

    name: RoleName | None = None


class RolePatch(MergePatch):
    """What may change of a role; absent members stay (RFC 7396)."""

    name: RoleName = ""
    description: Description = ""


class RoleRead(BaseModel):
    """A role. `built_in` roles cannot be changed here; `version` changes with the rules."""

    id: UUID
    scope: Literal["global", "mandate", "instance"]
    instance_id: UUID | None
    key: str | None
    name: str
    description: str
    built_in: bool
    rules: int = Field(description="How many rules the role has.")
    version: UUID
    created_at: datetime


class RoleList(BaseModel):
    """Every role that can be given in this mandate."""

    items: list[RoleRead]
    next_cursor: None = Field(default=None, description="Always null: the list is complete.")


class RuleList(BaseModel):
    """Every rule of a role, and the role's version to change them safely (`If-Match`)."""

    items: list[RuleRead]
    next_cursor: None = None
    version: UUID
