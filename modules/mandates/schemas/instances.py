"""Feature instances, and who has access to them, on the wire."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from modules.mandates.schemas.members import RoleIds
from modules.shared.clock import Moment
from modules.shared.merge_patch import MergePatch
from modules.shared.wire import WireModel

InstanceName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
FeatureName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
InstanceSort = Literal["name", "-name", "created_at", "-created_at"]
AccessSort = Literal["display_name", "-display_name", "email", "-email", "created_at", "-created_at"]


class InstanceRead(BaseModel):
    """A feature installed in the mandate."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    feature: str
    name: str
    enabled: bool
    version: int
    created_at: datetime


class InstanceCreate(WireModel):
    """A feature to install."""

    feature: FeatureName
    name: InstanceName
    enabled: bool = True


class InstancePatch(MergePatch):
    """An instance's name, and whether it can be entered."""

    name: InstanceName | None = None
    enabled: bool | None = None


class AccessRead(BaseModel):
    """A member's access to an instance."""

    model_config = ConfigDict(from_attributes=True)

    user_id: UUID
    email: str
    display_name: str
    enabled: bool
    valid_from: datetime | None
    valid_until: datetime | None
    role_ids: list[UUID]
    version: int
    created_at: datetime


class AccessPut(WireModel):
    """The whole of a member's access to an instance."""

    role_ids: RoleIds = Field(default_factory=list)
    enabled: bool = True
    valid_from: Moment | None = None
    valid_until: Moment | None = None


class AccessPatch(MergePatch):
    """The terms of an access. `role_ids` replaces all of its roles."""

    removable: ClassVar[frozenset[str]] = frozenset({"valid_from", "valid_until"})

    enabled: bool | None = None
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    role_ids: RoleIds | None = None
