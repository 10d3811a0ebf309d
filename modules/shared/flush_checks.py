"""Checks the rows a flush writes: what the caller creates, changes and deletes must be within the level of that action.

The flush never passes the hook that narrows statements. `before_flush` refuses early and leaves the transaction usable;
the mapper's own events see what only the flush itself touches (orphans, cleared foreign keys).
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, column, event, inspect, select, table
from sqlalchemy.orm import InstanceState, Mapper, Session, UOWTransaction, object_session

from modules.shared.catalogue import AccessLevel, Action
from modules.shared.database import TenantSession
from modules.shared.ownership import InstanceOwned, MandateOwned
from modules.shared.row_rights import RowRights
from modules.shared.scoping import rights_of

_MEMBERS = "members_of_groups"
_memberships = table("memberships", column("mandate_id"), column("user_id"))


@event.listens_for(TenantSession, "before_flush")
def _check_flush(session: Session, _unit: UOWTransaction, _objects: object) -> None:
    session.info.pop(_MEMBERS, None)
    rights = rights_of(session)
    if rights is None:
        return
    for row in _owned(session.new):
        _check_new(session, rights, row)
    for row in _owned(session.dirty):
        _check_changed(session, rights, row)
    for row in _owned(session.deleted):
        _check_deleted(session, rights, row)


@event.listens_for(MandateOwned, "before_insert", propagate=True)
def _check_insert(_mapper: Mapper[Any], _connection: Connection, row: MandateOwned) -> None:
    session, rights = _session_of(row)
    if rights is not None:
        _check_new(session, rights, row)


@event.listens_for(MandateOwned, "before_update", propagate=True)
def _check_update(_mapper: Mapper[Any], _connection: Connection, row: MandateOwned) -> None:
    session, rights = _session_of(row)
    if rights is not None:
        _check_changed(session, rights, row)


@event.listens_for(MandateOwned, "before_delete", propagate=True)
def _check_delete(_mapper: Mapper[Any], _connection: Connection, row: MandateOwned) -> None:
    session, rights = _session_of(row)
    if rights is not None:
        _check_deleted(session, rights, row)


def _session_of(row: MandateOwned) -> tuple[Session, RowRights | None]:
    session = object_session(row)
    if session is None:
        raise LookupError("a row that is being flushed has a session")
    return session, rights_of(session)


def _owned(rows: Iterable[object]) -> list[MandateOwned]:
    return [row for row in rows if isinstance(row, MandateOwned)]


def _check_new(session: Session, rights: RowRights, row: MandateOwned) -> None:
    """A new row is the caller's, in their mandate and instance, unless it says otherwise and they may."""
    model = type(row)
    _fill(rights, row)
    if not _is_here(rights, row):
        raise rights.refusal(model, Action.CREATE)
    if not _may_give_to(session, rights, rights.level(model, Action.CREATE), row.owner_id):
        raise rights.refusal(model, Action.CREATE)
    for field in sorted(rights.fields(model)):
        if row.__dict__.get(field) is not None:
            level = rights.level(model, Action.CREATE, field)
            if not _may_give_to(session, rights, level, row.owner_id):
                raise rights.refusal(model, Action.CREATE, field)


def _fill(rights: RowRights, row: MandateOwned) -> None:
    given: dict[str, UUID] = {"mandate_id": rights.mandate_id, "owner_id": rights.user_id}
    if isinstance(row, InstanceOwned) and rights.instance_id is not None:
        given["instance_id"] = rights.instance_id
    for name, value in given.items():
        if getattr(row, name) is None:
            setattr(row, name, value)


def _check_changed(session: Session, rights: RowRights, row: MandateOwned) -> None:
    """Both images count: one may neither touch what is out of reach nor push a row out of it."""
    if not session.is_modified(row, include_collections=False):
        return
    model, state = type(row), inspect(row)
    if not _is_here(rights, row) or _moved(state, row):
        raise rights.refusal(model, Action.UPDATE)
    changed = [name for name in sorted(rights.fields(model)) if state.attrs[name].history.has_changes()]
    owner = _stored(state, "owner_id")
    for field in (None, *changed):
        level = rights.level(model, Action.UPDATE, field)
        if not _reaches(session, rights, level, owner):
            raise rights.refusal(model, Action.UPDATE, field)
        if row.owner_id != owner and not _may_give_to(session, rights, level, row.owner_id):
            raise rights.refusal(model, Action.UPDATE, field)


def _check_deleted(session: Session, rights: RowRights, row: MandateOwned) -> None:
    model, state = type(row), inspect(row)
    here = _is_here(rights, row) and not _moved(state, row)
    if not here or not _reaches(session, rights, rights.level(model, Action.DELETE), _stored(state, "owner_id")):
        raise rights.refusal(model, Action.DELETE)


def _is_here(rights: RowRights, row: MandateOwned) -> bool:
    if isinstance(row, InstanceOwned) and (rights.instance_id is None or row.instance_id != rights.instance_id):
        return False
    return row.mandate_id == rights.mandate_id


def _moved(state: InstanceState[Any], row: MandateOwned) -> bool:
    names = ("mandate_id", "instance_id") if isinstance(row, InstanceOwned) else ("mandate_id",)
    return any(_stored(state, name) != getattr(row, name) for name in names)


def _stored(state: InstanceState[Any], name: str) -> UUID | None:
    """The value in the database, as last loaded. None when it was replaced unseen: nothing reaches that."""
    history = state.attrs[name].load_history()
    known = history.deleted or history.unchanged
    return known[0] if known else None


def _reaches(session: Session, rights: RowRights, level: AccessLevel, owner: UUID | None) -> bool:
    """Whether a row of `owner` is within `level`."""
    if level is AccessLevel.NONE or owner is None:
        return False
    return (
        level is AccessLevel.ALL
        or owner == rights.user_id
        or (level is AccessLevel.GROUP and owner in _members_of_groups(session, rights))
    )


def _may_give_to(session: Session, rights: RowRights, level: AccessLevel, owner: UUID) -> bool:
    """Whether a row may become that of `owner`; of anyone, with `all`, but then a member's."""
    if not _reaches(session, rights, level, owner):
        return False
    return level is not AccessLevel.ALL or owner == rights.user_id or _is_member(session, rights, owner)


def _members_of_groups(session: Session, rights: RowRights) -> frozenset[UUID]:
    """Asked at most once per flush."""
    if _MEMBERS not in session.info:
        found = session.scalars(rights.members_of_groups()) if rights.groups else ()
        session.info[_MEMBERS] = frozenset(found)
    members: frozenset[UUID] = session.info[_MEMBERS]
    return members


def _is_member(session: Session, rights: RowRights, user_id: UUID) -> bool:
    asked = select(_memberships.c.user_id).where(
        _memberships.c.mandate_id == rights.mandate_id, _memberships.c.user_id == user_id
    )
    return session.scalar(asked) is not None
