"""The context of a request as a front-end needs it to draw itself."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from modules.mandates.login_policy import LoginPolicy
from modules.rbac.schemas.decisions import Levels, RoleUsed
from modules.shared.catalogue import ItemKind, Reach
from modules.shared.context import Via


class ContextUser(BaseModel):
    """Who calls."""

    id: UUID
    slug: str
    email: str
    display_name: str
    language: Literal["de", "en"] | None
    is_sysadmin: bool = Field(description="The flag, which answers no question about data.")


class ContextMandate(BaseModel):
    """Where."""

    id: UUID
    slug: str
    name: str
    language: Literal["de", "en"]
    is_root: bool


class ContextInstance(BaseModel):
    """In which feature instance."""

    id: UUID
    feature: str
    name: str


class ContextGroup(BaseModel):
    """A group of the mandate the caller is in."""

    id: UUID
    name: str


class EffectivePermission(BaseModel):
    """How far each action on an item reaches here; `fields` are those with rules of their own."""

    kind: ItemKind
    item: str
    reach: Reach
    levels: Levels
    fields: dict[str, Levels]


class ContextRead(BaseModel):
    """Everything this request knows about its caller. Items of an instance are told only where one is named."""

    user: ContextUser
    mandate: ContextMandate
    instance: ContextInstance | None
    via: Via
    roles: list[RoleUsed]
    groups: list[ContextGroup]
    has_sysadmin_role: bool
    permissions: list[EffectivePermission]
    login_policy: LoginPolicy | None = Field(description="How the mandate wants its people to sign in; null: anyhow.")
