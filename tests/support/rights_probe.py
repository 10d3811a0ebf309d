"""Refuses, in every test, to change who may do what outside `GrantGuard.change`.

The guard marks its session; a write to one of the tables below without that mark is a way round it that nobody meant to
open. What begins before there is anybody to compare with marks itself, with the reason.
"""

import re

from sqlalchemy import TextClause, UpdateBase, event
from sqlalchemy.orm import ORMExecuteState, Session

from modules.shared.database import TenantSession
from modules.shared.grants import RIGHTS_MAY_CHANGE

GUARDED = {"roles", "access_rules", "role_assignments", "memberships", "groups", "group_members", "instance_access"}
_WRITE = re.compile(r"\b(?:insert\s+into|update|delete\s+from)\s+(?:only\s+)?(\w+)", re.IGNORECASE)


class UnguardedChange(AssertionError):
    """A test has found a way round the guard."""


def install() -> None:
    """Watch every session of this process."""
    if not event.contains(TenantSession, "before_flush", _before_flush):
        event.listen(TenantSession, "before_flush", _before_flush)
        event.listen(TenantSession, "do_orm_execute", _before_execute)


def _before_flush(session: Session, _context: object, _instances: object) -> None:
    written = [*session.new, *session.deleted, *(each for each in session.dirty if session.is_modified(each))]
    _demand_mark(session, {each.__tablename__ for each in written})


def _before_execute(state: ORMExecuteState) -> None:
    if state.is_select:
        return
    _demand_mark(state.session, _tables_written(state.statement))


def _tables_written(statement: object) -> set[str]:
    if isinstance(statement, TextClause):
        return {name.lower() for name in _WRITE.findall(statement.text)}
    return {str(statement.table)} if isinstance(statement, UpdateBase) else set()


def _demand_mark(session: Session, tables: set[str]) -> None:
    if tables & GUARDED and not session.info.get(RIGHTS_MAY_CHANGE):
        raise UnguardedChange(f"{', '.join(sorted(tables & GUARDED))} changed outside GrantGuard.change")
