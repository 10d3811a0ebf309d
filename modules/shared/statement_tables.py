"""Which protected tables a statement names, and whether SQLAlchemy's loader criteria will narrow every occurrence.

Loader criteria reach a FROM of a SELECT when its entity is selected, joined by `.join()`, given to `select_from()`, or
stands on the surface of WHERE; inside a window, a second argument of a function or a Core expression it is passed by.
So each SELECT is read on its own: a protected table it names must be one that is narrowed there, or one that the
enclosing SELECT narrows and this one correlates with.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
import re
from typing import Any, Final

from sqlalchemy import (
    ColumnClause,
    ColumnElement,
    Delete,
    Exists,
    FromClause,
    Insert,
    Join,
    Select,
    TextClause,
    Update,
    text,
)
from sqlalchemy.orm import Mapper, QueryableAttribute
from sqlalchemy.orm.context import FromStatement
from sqlalchemy.orm.util import AliasedInsp
from sqlalchemy.sql import util as sql_util
from sqlalchemy.sql.elements import ClauseElement, _textual_label_reference
from sqlalchemy.sql.expression import (
    AliasedReturnsRows,
    ReturnsRows,
    SelectBase,
    TableClause,
    TableSample,
    TextualSelect,
)
from sqlalchemy.sql.functions import FunctionElement

from modules.shared.ownership import MandateOwned, names_protected_table, protected_model
from modules.shared.row_rights import READABLE_PART

Entity = Mapper[Any] | AliasedInsp[Any]

_ENTITY: Final = "parententity"
_first_entity: Callable[[ClauseElement, str], Entity | None] = sql_util.extract_first_column_annotation
_surface: Callable[[ClauseElement], Iterable[ClauseElement]] = sql_util.surface_expressions


@dataclass(slots=True)
class StatementTables:
    """What one statement names."""

    models: set[type[MandateOwned]] = field(default_factory=set)
    mappers: set[Mapper[Any]] = field(default_factory=set)
    columns: set[tuple[type[MandateOwned], str]] = field(default_factory=set)
    """Columns of protected tables used as such, by key."""
    selected: list[Entity] = field(default_factory=list)
    """Entities that the outermost SELECT loads as a whole."""
    selected_inside: set[type[MandateOwned]] = field(default_factory=set)
    """Those whose columns come as a whole from a subquery, a part of a union or RETURNING."""
    written: set[str] = field(default_factory=set)
    """Keys of the columns that an UPDATE sets."""
    texts: list[str] = field(default_factory=list)
    passed_by: str | None = None
    """What would escape the criteria, in words for the programmer."""

    def mentions(self, name: str) -> bool:
        """Whether a textual part of the statement contains `name` as a word."""
        return any(re.search(rf"\b{re.escape(name)}\b", text, re.IGNORECASE) for text in self.texts)


def read_statement(statement: ClauseElement) -> StatementTables:
    """Read `statement` and everything inside it."""
    reader = _Reader()
    reader.read(statement)
    return reader.found


class _Level:
    """One SELECT (or the statement itself): the FROMs it names and those narrowed in it, by hash, because annotated
    elements hash as the one they stand for.
    """

    __slots__ = ("full_join", "named", "narrowed", "others", "parent")

    def __init__(self, parent: "_Level | None" = None, narrowed: Iterable[FromClause] = ()) -> None:
        self.parent = parent
        self.named: dict[int, FromClause] = {}
        self.narrowed = frozenset(map(hash, narrowed))
        self.others = False
        self.full_join = False


class _Reader:
    def __init__(self) -> None:
        self.found = StatementTables()
        self._outermost: ClauseElement | None = None
        self._derived: dict[int, FromClause] = {}
        self._written: list[ColumnClause[Any]] = []
        self._in_readable_part = False
        self._only_existence = False

    def read(self, statement: ClauseElement) -> None:
        self._outermost = statement
        if isinstance(statement, Insert | Update | Delete):
            self._write(statement)
        elif isinstance(statement, FromStatement):
            self._from_statement(statement)
        else:
            self._visit_alone(statement)
        if any(map(names_protected_table, self.found.texts)):
            self._passed_by("text")
        if self.found.models and not (_is_orm(statement) or isinstance(statement, Select)):
            self._passed_by("a Core statement")

    def _passed_by(self, what: str) -> None:
        self.found.passed_by = self.found.passed_by or what

    def _from_statement(self, statement: FromStatement[Any]) -> None:
        for entity in _entities(statement._raw_columns):
            self.found.mappers.add(entity.mapper)
            if isinstance(statement.element, TextClause | TextualSelect) and _model_of(_selectable(entity)):
                self._passed_by("from_statement() of a text")
        self._visit_alone(statement.element)

    def _write(self, statement: Insert | Update | Delete) -> None:
        """Criteria reach the rows an ORM UPDATE or DELETE is about; nothing else a writing statement names."""
        target = statement.table
        updates_entity = isinstance(statement, Update | Delete) and isinstance(_entity_of(target), Mapper)
        level = _Level(narrowed=[target] if updates_entity else ())
        self._written = [each for each in getattr(statement, "_values", None) or () if not isinstance(each, str)]
        self.found.written.update(each.key for each in self._written)
        for child in _children(statement):
            self._visit(child, level)
        for returned in statement._returning:
            if isinstance(returned, FromClause) and (model := _model_of(returned)):
                self.found.selected_inside.add(model)
        if self.found.models - {_model_of(target)}:
            self._passed_by("a second protected table in a writing statement")
        self._judge(level)

    # ── one SELECT ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _visit_alone(self, element: Any) -> None:
        """Visit what cannot correlate with anything."""
        level = _Level()
        self._visit(element, level)
        self._judge(level)

    def _visit_select(self, select: Select[Any], parent: _Level) -> None:
        level = _Level(parent, map(_selectable, _narrowed(select)) if _is_orm(select) else ())
        level.full_join = any(flags["full"] for *_, flags in _joins(select))
        only_existence, self._only_existence = self._only_existence, False
        for child in (*_children(select), *select._from_obj):
            self._visit(child, level)
        self._judge(level, select)
        if not only_existence:
            self._note_selected(select, level)

    def _note_selected(self, select: Select[Any], level: _Level) -> None:
        for each in select._raw_columns:
            if each._is_star or (isinstance(each, TextClause) and "*" in each.text):
                self.found.selected_inside |= {model for each in level.named.values() if (model := _model_of(each))}
            elif isinstance(each, FromClause) and not isinstance(each, FunctionElement):
                entity = _entity_of(each)
                if select is self._outermost and entity is not None:
                    self.found.selected.append(entity)
                elif model := _model_of(each):
                    self.found.selected_inside.add(model)

    def _judge(self, level: _Level, select: Select[Any] | None = None) -> None:
        if level.full_join and level.named:
            self._passed_by("a FULL JOIN")
        missing = frozenset(level.named) - level.narrowed
        if missing and not (select is not None and _correlates(select, level, missing)):
            names = sorted({str(_table_of(level.named[each])) for each in missing})
            self._passed_by(f"an occurrence of {', '.join(names)}")

    # ── elements ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _visit(self, element: Any, level: _Level) -> None:
        self._note_mapper(element)
        match element:
            case Select():
                self._visit_select(element, level)
            case AliasedReturnsRows() | TableClause():
                self._visit_from(element, level)
            case ColumnClause():
                self._visit_column(element, level)
            case TextClause():
                self.found.texts.append(element.text)
            case _textual_label_reference():
                self.found.texts.append(str(element.element))
            case Insert() | Update() | Delete():
                self._visit_inner_write(element)
            case _:
                self._visit_children(element, level)

    def _visit_children(self, element: Any, level: _Level) -> None:
        if isinstance(element, Join):
            level.full_join = level.full_join or element.full
        before = self._in_readable_part, self._only_existence
        self._in_readable_part = before[0] or READABLE_PART in getattr(element, "_annotations", {})
        self._only_existence = before[1] or isinstance(element, Exists)
        for child in _children(element):
            self._visit(child, level)
        self._in_readable_part, self._only_existence = before

    def _note_mapper(self, element: Any) -> None:
        annotations = getattr(element, "_annotations", {})
        entity = annotations.get(_ENTITY) or annotations.get("parentmapper")
        if entity is not None:
            self.found.mappers.add(entity.mapper)

    def _visit_from(self, element: FromClause, level: _Level) -> None:
        """A table, an alias of one, or something that yields rows of its own."""
        model = _model_of(element)
        if model is not None:
            self.found.models.add(model)
            level.named[hash(element)] = element
        else:
            level.others = True
        if isinstance(element, TableSample):
            self._visit(element.sampling, level)
        elif _table_of(element) is None:
            self._visit_derived(element, level)

    def _visit_derived(self, element: FromClause, level: _Level) -> None:
        if id(element) in self._derived:
            return
        self._derived[id(element)] = element
        for child in _children(element):
            if isinstance(child, SelectBase | AliasedReturnsRows):
                self._visit_alone(child)
            else:
                self._visit(child, level)

    def _visit_column(self, column: ColumnClause[Any], level: _Level) -> None:
        if column.table is None:
            self.found.texts.append(column.name)
        elif not any(column is each for each in self._written):
            self._visit(column.table, level)
            if (model := _model_of(column.table)) and not self._in_readable_part:
                self.found.columns.add((model, column.key))

    def _visit_inner_write(self, statement: Insert | Update | Delete) -> None:
        inner = _Reader()
        inner.read(statement)
        self.found.models |= inner.found.models
        if inner.found.models or inner.found.passed_by:
            self._passed_by("a writing statement inside another")


def _children(element: Any) -> Iterator[Any]:
    """With the textual parts that SQLAlchemy's own traversal leaves out."""
    yield from element.get_children()
    for affix in (*getattr(element, "_prefixes", ()), *getattr(element, "_suffixes", ())):
        yield affix[0]
    for _, hint in getattr(element, "_statement_hints", ()):
        yield text(hint)


def _is_orm(statement: Any) -> bool:
    """SQLAlchemy decides by what it saw selected; some expressions, a window for one, do not tell."""
    return bool(statement._propagate_attrs.get("compile_state_plugin") == "orm")


def _entity_of(element: ClauseElement) -> Entity | None:
    entity: Entity | None = element._annotations.get(_ENTITY)
    return entity


def _entities(elements: Iterable[ClauseElement]) -> Iterator[Entity]:
    for element in elements:
        if entity := _entity_of(element):
            yield entity


def _selectable(entity: Entity) -> FromClause:
    return entity.local_table if isinstance(entity, Mapper) else entity.selectable


def _table_of(element: ReturnsRows) -> TableClause | None:
    while isinstance(element, AliasedReturnsRows):
        element = element.element
    return element if isinstance(element, TableClause) else None


def _model_of(element: ReturnsRows) -> type[MandateOwned] | None:
    table = _table_of(element)
    return None if table is None else protected_model(table)


def _narrowed(select: Select[Any]) -> Iterator[Entity]:
    """The entities whose rows loader criteria will narrow in this SELECT, as SQLAlchemy's ORM compiles it."""
    for column in _selected_columns(select):
        if entity := _entity_of(column) or _first_entity(column, _ENTITY):
            yield entity
    for from_ in select._from_obj:
        if not isinstance(from_, Join) and (entity := _entity_of(from_)):
            yield entity
    for right, on, left, _ in _joins(select):
        yield from _joined(right, on, left)
    for condition in select._where_criteria:
        yield from _entities(_surface(condition))


def _selected_columns(select: Select[Any]) -> Iterator[ColumnElement[Any]]:
    """Those of before `with_only_columns()` count as well where they were joined from."""
    earlier = (each._raw_columns for each in select._memoized_select_entities if each._setup_joins)
    for column in (*select._raw_columns, *chain.from_iterable(earlier)):
        if "bundle" in column._annotations:
            yield from column.clauses
        elif isinstance(column, ColumnElement) or _entity_of(column):
            yield column


def _joins(select: Select[Any]) -> Iterator[tuple[Any, Any, Any, Any]]:
    yield from select._setup_joins
    for earlier in select._memoized_select_entities:
        yield from earlier._setup_joins


def _joined(right: Any, on: Any, left: Any) -> Iterator[Entity]:
    for side in (right, on):
        if isinstance(side, QueryableAttribute):
            yield side.parent
            yield side.comparator.entity  # type: ignore[attr-defined]  # of a relationship, which alone can be joined
    for side in (right, left):
        if isinstance(side, FromClause) and not isinstance(side, Join) and (entity := _entity_of(side)):
            yield entity


def _correlates(select: Select[Any], level: _Level, missing: frozenset[int]) -> bool:
    """Whether the missing ones are certainly the enclosing SELECT's, which narrows them."""
    if level.parent is None or not missing <= level.parent.narrowed:
        return False
    if select._correlate_except is not None:
        return missing.isdisjoint(map(hash, select._correlate_except))
    if select._correlate:
        return missing <= set(map(hash, select._correlate))
    return bool(select._auto_correlate) and (level.others or bool(level.named.keys() - missing))
