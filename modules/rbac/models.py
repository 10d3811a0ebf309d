"""Roles, their rules, who holds them, and the visits of sysadmins."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from modules.shared.database import Base


class Role(Base):
    """A named set of rules. A global role belongs to the root mandate; `key` names the built-in ones; `version` changes
    with its rules.
    """

    __tablename__ = "roles"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    mandate_id: Mapped[UUID]
    scope: Mapped[str]
    instance_id: Mapped[UUID | None]
    key: Mapped[str | None]
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    travels: Mapped[bool] = mapped_column(default=False)
    version: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class RoleRule(Base):
    """One rule of a role as stored; levels are 0 none, 1 my, 2 group, 3 all, NULL no opinion."""

    __tablename__ = "access_rules"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    mandate_id: Mapped[UUID]
    role_id: Mapped[UUID]
    kind: Mapped[str]
    item: Mapped[str]
    may_view: Mapped[bool | None]
    may_create: Mapped[int | None] = mapped_column(SmallInteger)
    may_read: Mapped[int | None] = mapped_column(SmallInteger)
    may_update: Mapped[int | None] = mapped_column(SmallInteger)
    may_delete: Mapped[int | None] = mapped_column(SmallInteger)


class RoleAssignment(Base):
    """A role given to a membership, or to an instance access. Half-open dates `[valid_from, valid_until)`."""

    __tablename__ = "role_assignments"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    mandate_id: Mapped[UUID]
    membership_id: Mapped[UUID | None]
    instance_access_id: Mapped[UUID | None]
    role_id: Mapped[UUID]
    role_mandate_id: Mapped[UUID]
    role_scope: Mapped[str]
    valid_from: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    valid_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    granted_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class ScheduledGrant(Base):
    """A role to be given later, if the granter still may then."""

    __tablename__ = "scheduled_grants"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    mandate_id: Mapped[UUID]
    membership_id: Mapped[UUID]
    role_id: Mapped[UUID]
    valid_from: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    valid_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    granted_by: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    settled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    outcome: Mapped[str | None]


class SysadminEntry(Base):
    """A flag holder working in a mandate without membership, for at most an hour."""

    __tablename__ = "sysadmin_entries"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    mandate_id: Mapped[UUID]
    session_id: Mapped[UUID]
    user_id: Mapped[UUID]
    mode: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    valid_until: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
