"""Narrows statements to the rows a caller may reach: `context.scope(statement)`, and every statement of a request.

The terms travel as SQLAlchemy loader criteria, so they hold for joins, aliases, subqueries, counts and the loads of
relationships. What criteria would pass by (Core statements, `text()`, a second table in an UPDATE, and the forms told
in statement_tables.py) is refused with `UnscopedStatement`. Rows written by a flush are checked in flush_checks.py.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from sqlalchemy import Delete, Select, Update, event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import ColumnProperty, Load, Mapper, ORMExecuteState, Session, UserDefinedOption, defer
from sqlalchemy.orm.context import QueryContext
from sqlalchemy.orm.path_registry import PathRegistry
from sqlalchemy.orm.util import LoaderCriteriaOption
from sqlalchemy.sql.base import Executable, ExecutableOption
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.sql.expression import TableClause
from sqlalchemy.sql.lambdas import StatementLambdaElement

from modules.shared.catalogue import AccessLevel, Action, InvalidDeclaration
from modules.shared.database import RIGHTS, TenantSession
from modules.shared.ownership import MandateOwned, UnscopedStatement, anything_protected, protected_model
from modules.shared.row_rights import RowRights, column_names
from modules.shared.statement_tables import Entity, StatementTables, read_statement

Statement = TypeVar("Statement", bound=Executable)

_UNSCOPED: Final = "mandate_unscoped"
_WHOSE: Final = frozenset({"mandate_id", "instance_id", "owner_id"})


@dataclass(frozen=True, slots=True)
class Unscoped:
    """Marks a statement that is meant to reach every row of the mandate."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Narrowing:
    """Whose rights narrow a statement. `by_route`: with the pair the route required; else by the kind of statement."""

    rights: RowRights
    named: Action | None = None
    by_route: bool = False

    def level(self, model: type[MandateOwned], statement: object, tables: StatementTables) -> AccessLevel:
        """How far the statement may reach among the rows of `model`."""
        if isinstance(statement, Update | Delete):
            return self._write_level(model, statement, tables)
        return self.rights.level(model, self._read_action(model, tables))

    def _read_action(self, model: type[MandateOwned], tables: StatementTables) -> Action:
        if not self.by_route:
            return Action.READ
        if self.named is not None and (self._is_bound(model) or not any(map(self._is_bound, tables.models))):
            return Action.READ if self.named is Action.VIEW else self.named
        return self.rights.bound_action(model)

    def _is_bound(self, model: type[MandateOwned]) -> bool:
        return self.rights.bound is not None and self.rights.bound[0].path == model.__item__

    def _write_level(
        self, model: type[MandateOwned], statement: Update | Delete, tables: StatementTables
    ) -> AccessLevel:
        action = self.named or (Action.UPDATE if isinstance(statement, Update) else Action.DELETE)
        fields = [each for each in self.rights.fields(model) if column_names(model, each) & tables.written]
        levels = [self.rights.level(model, action), *(self.rights.level(model, action, field) for field in fields)]
        if statement._returning:
            levels.append(self.rights.level(model, Action.READ))
        return min(levels)


class _Scoped(UserDefinedOption):
    """Travels with a scoped statement and into the loads that follow from it; `covered` is narrowed already."""

    propagate_to_loaders = True

    def __init__(self, narrowing: _Narrowing, covered: frozenset[type[MandateOwned]]) -> None:
        super().__init__(narrowing)
        self.narrowing = narrowing
        self.covered = covered


def scope_statement(rights: RowRights, statement: Statement, action: Action | str | None = None) -> Statement:
    """`statement`, narrowed by the bound pair for the table it is about and by (own item, read) for every other one.

    `action` replaces the bound action. Rows written by an UPDATE or DELETE are narrowed by update or delete, whatever
    is bound, unless `action` says otherwise. Raises UnscopedStatement when something in the statement cannot be
    narrowed or nothing needs to be; PermissionDenied for an unreadable column.
    """
    narrowing = _Narrowing(rights, None if action is None else Action(action), by_route=True)
    tables = _read(statement)
    if not tables.models:
        raise UnscopedStatement("the statement names no protected table: nothing would be narrowed")
    _check_owner_stays(tables)
    covered = frozenset(_reachable(tables.mappers))
    options = [*_criteria(narrowing, statement, tables, covered, for_later_loads=True), _Scoped(narrowing, covered)]
    _check_columns(narrowing, statement, tables)
    return statement.options(*options, *_deferred(narrowing, statement, tables))


def unscoped(statement: Statement, reason: str) -> Statement:
    """`statement`, allowed to reach every row of the mandate; row-level security still holds. A test lists them."""
    if not reason.strip():
        raise ValueError("say why every row of the mandate is right here")
    marked: Statement = statement.execution_options(**{_UNSCOPED: Unscoped(reason)})
    return marked


def bind_session(session: AsyncSession | Session, rights: RowRights) -> None:
    """From now on every statement and flush of this session is narrowed to `rights`; the first stay."""
    session.info.setdefault(RIGHTS, rights)


def rights_of(session: Session) -> RowRights | None:
    """The rights this session is bound to."""
    rights: RowRights | None = session.info.get(RIGHTS)
    return rights


# ── every statement of a session ─────────────────────────────────────────────────────────────────────────────────


@event.listens_for(TenantSession, "do_orm_execute")
def _narrow_execution(state: ORMExecuteState) -> None:
    if not anything_protected() or isinstance(state.execution_options.get(_UNSCOPED), Unscoped):
        return
    scoped = next((each for each in state.user_defined_options if isinstance(each, _Scoped)), None)
    rights = rights_of(state.session)
    if scoped is not None:
        _narrow(state, scoped.narrowing, scoped.covered)
    elif rights is not None:
        _narrow(state, _Narrowing(rights), frozenset())


def _narrow(state: ORMExecuteState, narrowing: _Narrowing, covered: frozenset[type[MandateOwned]]) -> None:
    statement = state.statement
    tables = _read(statement)
    if state.is_column_load:
        _narrow_refresh(state, narrowing, tables)
        return
    if not state.is_relationship_load:
        _check_columns(narrowing, statement, tables)
    if isinstance(statement, Update | Delete) and tables.models:
        _check_write(state, tables)
        covered = frozenset()  # what it sets is known only now
    further = _reachable(tables.mappers) - covered
    options = [
        *_criteria(narrowing, statement, tables, further, for_later_loads=False),
        *_deferred(narrowing, statement, tables, state.loader_strategy_path),
    ]
    if options:
        state.statement = statement.options(*options)


def _narrow_refresh(state: ORMExecuteState, narrowing: _Narrowing, tables: StatementTables) -> None:
    """Refreshes and loads of single attributes pass by loader criteria; the row may have left the caller's reach."""
    statement = state.statement
    for entity in tables.selected:
        model = entity.mapper.class_
        if issubclass(model, MandateOwned) and isinstance(statement, Select):
            level = narrowing.level(model, statement, tables)
            narrowed = statement.where(narrowing.rights.term(model, level)(model))
            hidden = narrowing.rights.hidden(model, level) if narrowing.rights.fields(model) else frozenset()
            only = narrowed._compile_options._only_load_props
            if only and hidden:
                if only <= hidden:
                    raise narrowing.rights.refusal(model, Action.READ, min(only))
                narrowed._compile_options += {"_only_load_props": only - hidden}
            state.statement = narrowed.options(*_deferrals(entity, hidden, ()))


def _check_write(state: ORMExecuteState, tables: StatementTables) -> None:
    """Refuse what writes by key, past the criteria."""
    strategy = state.execution_options.get("dml_strategy", "auto")
    if isinstance(state.parameters, list | tuple) or strategy not in {"auto", "orm"}:
        raise UnscopedStatement("a bulk write by key cannot be narrowed: change objects of the session instead")
    tables.written.update(map(str, state.parameters or ()))
    _check_owner_stays(tables)


def _check_owner_stays(tables: StatementTables) -> None:
    if tables.written & _WHOSE:
        raise UnscopedStatement("an UPDATE cannot check who gets a row: change objects of the session instead")


@event.listens_for(MandateOwned, "load", propagate=True)
def _refuse_unreadable(target: MandateOwned, context: QueryContext) -> None:
    """Only a joined eager load brings unreadable columns here: it takes the whole row and no deferring reaches it."""
    rights = rights_of(context.session)
    if rights is None or isinstance(context.execution_options.get(_UNSCOPED), Unscoped):
        return
    model = type(target)
    if not rights.fields(model):
        return
    rows = max(rights.level(model, Action.READ), rights.level(model, rights.bound_action(model)))
    for hidden in rights.hidden(model, rows) & target.__dict__.keys():
        raise rights.refusal(model, Action.READ, hidden)


# ── the parts ────────────────────────────────────────────────────────────────────────────────────────────────────


def _read(statement: Executable) -> StatementTables:
    if isinstance(statement, StatementLambdaElement):
        tables = read_statement(statement._resolved)
        tables.passed_by = "a lambda statement" if tables.models else tables.passed_by
    else:
        tables = read_statement(cast("ClauseElement", statement))  # every executable is an element
    if tables.passed_by is not None:
        raise UnscopedStatement(
            f"{tables.passed_by} would not be narrowed to the caller's rows: select, join or select_from() the mapped"
            " class, or say with context.unscoped(statement, reason) why every row of the mandate is right"
        )
    return tables


def _criteria(
    narrowing: _Narrowing,
    statement: object,
    tables: StatementTables,
    models: Iterable[type[MandateOwned]],
    *,
    for_later_loads: bool,
) -> Iterator[ExecutableOption]:
    for model in models:
        level = narrowing.level(model, statement, tables)
        yield narrowing.rights.criteria(model, level, for_later_loads=for_later_loads)


def _check_columns(narrowing: _Narrowing, statement: object, tables: StatementTables) -> None:
    """Unreadable columns are neither selected nor compared nor sorted by, wherever in the statement."""
    rights = narrowing.rights
    for model in _reachable(tables.mappers):
        hidden = (
            rights.hidden(model, narrowing.level(model, statement, tables)) if rights.fields(model) else frozenset()
        )
        if hidden:
            used = {key for each, key in tables.columns if each is model} | set(_columns_of_options(statement, model))
            for name in sorted(hidden):
                names = column_names(model, name)
                if names & used or model in tables.selected_inside or any(map(tables.mentions, names)):
                    raise rights.refusal(model, Action.READ, name)


def _columns_of_options(statement: object, model: type[MandateOwned]) -> Iterator[str]:
    """Columns that loader options compare or want: `selectinload(Customer.invoices.and_(...)).undefer(...)`."""
    for option in getattr(statement, "_with_options", ()):
        conditions = [each for part in getattr(option, "context", ()) for each in part._extra_criteria]
        if isinstance(option, LoaderCriteriaOption) and not option.deferred_where_criteria:
            conditions.append(option.where_criteria)
        for condition in conditions:
            yield from (key for each, key in read_statement(condition).columns if each is model)
    yield from (name for name, undeferred in _column_options(statement, model) if undeferred)


def _column_options(statement: object, model: type[MandateOwned]) -> Iterator[tuple[str, bool]]:
    """The mapped columns that options speak of, and whether they want them loaded."""
    for option in getattr(statement, "_with_options", ()):
        for part in getattr(option, "context", ()):
            column = part.path.path[-1]
            if isinstance(column, ColumnProperty) and issubclass(model, column.parent.class_):
                yield column.key, ("deferred", False) in (part.strategy or ())


def _deferred(
    narrowing: _Narrowing, statement: object, tables: StatementTables, path: PathRegistry | None = None
) -> Iterator[ExecutableOption]:
    """What leaves unreadable columns out of entities; touching one raises. `path` leads to a relationship's load."""
    rights = narrowing.rights
    for entity in tables.selected:
        model = entity.mapper.class_
        if issubclass(model, MandateOwned) and rights.fields(model):
            hidden = rights.hidden(model, narrowing.level(model, statement, tables))
            asked = {name for name, undeferred in _column_options(statement, model) if not undeferred}
            yield from _deferrals(entity, hidden - asked, () if path is None else path.natural_path)


def _deferrals(entity: Entity, names: Iterable[str], path: Sequence[Any]) -> Iterator[ExecutableOption]:
    for name in names:
        attribute = getattr(entity.entity, name)
        if path:
            yield _load_along(path, entity).defer(attribute, raiseload=True)
        else:
            yield defer(attribute, raiseload=True)


def _load_along(path: Sequence[Any], last: Entity) -> Load:
    """The option that speaks of the entity a path leads to; entities and relationships take turns in it."""
    load = Load(path[0].entity)
    owners, relationships, targets = path[::2], path[1::2], (*path[2::2], last)
    for owner, relationship, target in zip(owners, relationships, targets, strict=False):
        attribute = getattr(owner.entity, relationship.key)
        load = load.defaultload(attribute if target is relationship.mapper else attribute.of_type(target.entity))
    return load


def _reachable(mappers: Iterable[Mapper[Any]]) -> set[type[MandateOwned]]:
    """The protected classes that a statement about `mappers` can load, through relationships too."""
    pending, seen = list(mappers), set(mappers)
    while pending:
        for relationship in pending.pop().relationships:
            if isinstance(relationship.secondary, TableClause) and protected_model(relationship.secondary):
                raise InvalidDeclaration(
                    f"{relationship} goes through a protected table: map it with two relationships"
                )
            if relationship.mapper not in seen:
                seen.add(relationship.mapper)
                pending.append(relationship.mapper)
    tables = (mapper.local_table for mapper in seen)
    return {model for table in tables if isinstance(table, TableClause) and (model := protected_model(table))}
