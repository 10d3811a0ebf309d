"""The tables of mandates: who works where, in which groups and instances, and who was asked to come."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from modules.shared.database import Base

_Moment = DateTime(timezone=True)


class Mandate(Base):
    """A tenant. Exactly one is the root mandate, the operator's own. A trigger keeps `caps`, for the authorisation."""

    __tablename__ = "mandates"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    slug: Mapped[str]
    name: Mapped[str]
    color: Mapped[str]
    language: Mapped[str]
    is_root: Mapped[bool] = mapped_column(default=False)
    enabled: Mapped[bool] = mapped_column(default=True)
    login_policy: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    caps: Mapped[str | None]
    disabled_at: Mapped[datetime | None] = mapped_column(_Moment)
    delete_after: Mapped[datetime | None] = mapped_column(_Moment)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(_Moment)


class Membership(Base):
    """A user in a mandate. Half-open dates `[valid_from, valid_until)`. A trigger keeps `group_ids`."""

    __tablename__ = "memberships"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    mandate_id: Mapped[UUID]
    user_id: Mapped[UUID]
    enabled: Mapped[bool] = mapped_column(default=True)
    valid_from: Mapped[datetime | None] = mapped_column(_Moment)
    valid_until: Mapped[datetime | None] = mapped_column(_Moment)
    group_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()), default=list)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(_Moment)


class Group(Base):
    """A named set of members; what they own is what level `group` reaches."""

    __tablename__ = "groups"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    mandate_id: Mapped[UUID]
    name: Mapped[str]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(_Moment)


class GroupMember(Base):
    """A member in a group; leaves it with the membership."""

    __tablename__ = "group_members"

    mandate_id: Mapped[UUID] = mapped_column(primary_key=True)
    group_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)


class FeatureInstance(Base):
    """A feature installed in a mandate, with roles and people of its own."""

    __tablename__ = "feature_instances"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    mandate_id: Mapped[UUID]
    feature: Mapped[str]
    name: Mapped[str]
    enabled: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(_Moment)


class InstanceAccess(Base):
    """A member's access to an instance. Half-open dates `[valid_from, valid_until)`."""

    __tablename__ = "instance_access"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    mandate_id: Mapped[UUID]
    instance_id: Mapped[UUID]
    user_id: Mapped[UUID]
    enabled: Mapped[bool] = mapped_column(default=True)
    valid_from: Mapped[datetime | None] = mapped_column(_Moment)
    valid_until: Mapped[datetime | None] = mapped_column(_Moment)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(_Moment)


class MandateDomain(Base):
    """A mail domain whose people may join by themselves, once `challenge` was found in its DNS.

    `role_id` is what they get, on the word of `offered_by`; None is no role. Proven while `verified_at` is set.
    """

    __tablename__ = "mandate_domains"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    mandate_id: Mapped[UUID]
    domain: Mapped[str]
    challenge: Mapped[str]
    role_id: Mapped[UUID | None]
    enabled: Mapped[bool] = mapped_column(default=True)
    offered_by: Mapped[UUID]
    verified_at: Mapped[datetime | None] = mapped_column(_Moment)
    checked_at: Mapped[datetime | None] = mapped_column(_Moment)
    check_after: Mapped[datetime | None] = mapped_column(_Moment)
    failures: Mapped[int] = mapped_column(default=0)
    suspended_at: Mapped[datetime | None] = mapped_column(_Moment)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(_Moment)


class RemovedMember(Base):
    """Somebody else ended this person's membership: they come back by invitation only."""

    __tablename__ = "removed_members"

    mandate_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    removed_at: Mapped[datetime] = mapped_column(_Moment)


class Invitation(Base):
    """An offer of membership to whoever proves to own `email`.

    `first_administrator`: made with the mandate by whoever may create mandates; its acceptance appoints.
    """

    __tablename__ = "invitations"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    mandate_id: Mapped[UUID]
    email: Mapped[str]
    language: Mapped[str]
    role_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()))
    group_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()))
    first_administrator: Mapped[bool] = mapped_column(default=False)
    invited_by: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(_Moment)
    expires_at: Mapped[datetime] = mapped_column(_Moment)
    accepted_at: Mapped[datetime | None] = mapped_column(_Moment)
    accepted_by: Mapped[UUID | None]
    revoked_at: Mapped[datetime | None] = mapped_column(_Moment)
