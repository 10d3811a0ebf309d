"""Members on the wire."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from modules.shared.clock import Moment
from modules.shared.merge_patch import MergePatch
from modules.shared.wire import WireModel

RoleIds = Annotated[list[UUID], Field(max_length=50)]
MemberSort = Literal["display_name", "-display_name", "email", "-email", "created_at", "-created_at"]


class MemberRead(BaseModel):
    """A member: a person, and on which terms they are here."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID = Field(description="Of the membership.")
    user_id: UUID
    email: str
    display_name: str
    avatar_url: str | None
    enabled: bool
    valid_from: datetime | None
    valid_until: datetime | None = Field(description="The first moment the membership is over.")
    role_ids: list[UUID]
    group_ids: list[UUID]
    version: int
    created_at: datetime


class MemberCreate(WireModel):
    """A user who becomes a member without being asked; for administrators of the installation."""

    user_id: UUID
    role_ids: RoleIds = Field(default_factory=list)
    enabled: bool = True
    valid_from: Moment | None = None
    valid_until: Moment | None = None


class MemberPatch(MergePatch):
    """The terms of a membership. `role_ids` replaces all of the member's roles."""

    removable: ClassVar[frozenset[str]] = frozenset({"valid_from", "valid_until"})

    enabled: bool | None = None
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    role_ids: RoleIds | None = None
