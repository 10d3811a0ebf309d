"""The tables whose rows belong to somebody: mixins for a host's models, and the register of what they protect.

A class that takes `MandateOwned` or `InstanceOwned` is narrowed to the caller's rows wherever a request's session
reads or writes it (see scoping.py and flush_checks.py); `__item__` names the item whose rules decide how far.
The second wall, row-level security, is put up in the host's migration (see row_level_security.py).
"""

from collections.abc import Iterable
import re
from typing import ClassVar
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Table, event, inspect
from sqlalchemy.orm import Mapped, Mapper, mapped_column
from sqlalchemy.sql.expression import TableClause

from modules.shared.catalogue import InvalidDeclaration, Item, ItemCatalogue, ItemKind, Reach


class MandateOwned:
    """Rows of one mandate, each with an owner; for classes of any declarative base. `__item__` is their item's path."""

    __item__: ClassVar[str]

    # The value before a change decides too, so it is loaded before it is replaced.
    mandate_id: Mapped[UUID] = mapped_column(active_history=True)
    owner_id: Mapped[UUID] = mapped_column(active_history=True)


class InstanceOwned(MandateOwned):
    """Rows of one feature instance of a mandate; invisible to a request that names no instance."""

    instance_id: Mapped[UUID] = mapped_column(active_history=True)


class UnscopedStatement(Exception):
    """A statement reaches a protected table in a way that cannot be narrowed to the caller's rows.

    A mistake in the program, never an answer to a request: restructure the statement, or say with
    `context.unscoped(statement, reason)` why all rows of the mandate are right here.
    """


_models: dict[int, type[MandateOwned]] = {}
_tables: dict[str, list[Table]] = {}
_naming = re.compile(r"(?!)")


@event.listens_for(MandateOwned, "after_mapper_constructed", propagate=True)
def _protect(mapper: Mapper[MandateOwned], model: type[MandateOwned]) -> None:
    global _naming  # noqa: PLW0603 - follows the register, which belongs to the process
    if mapper.inherits is not None:
        _require_same_table(mapper, mapper.inherits)
        return
    if not isinstance(getattr(model, "__item__", None), str):
        raise InvalidDeclaration(f"{model.__name__} needs __item__, the path of the item whose rules its rows follow")
    table = mapper.local_table
    if not isinstance(table, Table):
        raise InvalidDeclaration(f"{model.__name__} must be mapped to a table of its own")
    _models[hash(table)] = model
    _tables.setdefault(table.name.lower(), []).append(table)
    _naming = re.compile(rf"\b({'|'.join(map(re.escape, _tables))})\b", re.IGNORECASE)


def _require_same_table(mapper: Mapper[MandateOwned], base: Mapper[MandateOwned]) -> None:
    """A second table would hold rows without mandate and owner: neither wall could narrow it."""
    if mapper.local_table is not base.local_table or mapper.class_.__item__ != base.class_.__item__:
        raise InvalidDeclaration(f"{mapper.class_.__name__} must share table and __item__ of {base.class_.__name__}")


def protected_model(table: TableClause) -> type[MandateOwned] | None:
    """The class a table belongs to. A table made elsewhere that only has the name of a protected one counts as it."""
    known = _models.get(hash(table))
    if known is not None or not _tables:
        return known
    for named in _tables.get(table.name.lower(), ()):
        if table.schema is None or named.schema is None or table.schema == named.schema:
            return _models[hash(named)]
    return None


def anything_protected() -> bool:
    """Whether this process has any protected table."""
    return bool(_models)


def names_protected_table(sql: str) -> bool:
    """Whether a protected table's name occurs in a text as a word."""
    return _naming.search(sql) is not None


def item_of(model: type[MandateOwned], catalogue: ItemCatalogue) -> Item:
    """The item whose rules decide on the rows of `model`. Raises InvalidDeclaration when its reach does not fit the
    table, since rights of one instance would otherwise reach rows of all, or when it has a field that is no column:
    a rule about a misspelled one would protect nothing.
    """
    path = model.__item__
    item = catalogue.find(ItemKind.DATA, path) or catalogue.find(ItemKind.RESOURCE, path) or catalogue.resolve(path)
    fitting = Reach.INSTANCE if issubclass(model, InstanceOwned) else Reach.MANDATE
    if item.reach is not fitting:
        raise InvalidDeclaration(f"{model.__name__} needs an item of reach {fitting}; {path!r} has {item.reach}")
    if item.fields and (unknown := item.fields.difference(inspect(model).column_attrs.keys())):
        raise InvalidDeclaration(f"item {path!r} has fields {model.__name__} does not: {', '.join(sorted(unknown))}")
    return item


def owned_reference(
    column: str,
    referred_table: str,
    *,
    by_instance: bool = False,
    referred_column: str = "id",
    ondelete: str | None = None,
    also: Iterable[str] = (),
) -> ForeignKeyConstraint:
    """A foreign key that cannot leave the mandate (or instance), for `__table_args__` and migrations.

    Referential checks pass by row-level security, so the mandate must be part of the key. The referred table needs a
    unique key on the same columns. `also` names further columns both tables share.
    """
    shared = ["mandate_id", *(["instance_id"] if by_instance else []), *also]
    return ForeignKeyConstraint(
        [*shared, column], [f"{referred_table}.{each}" for each in (*shared, referred_column)], ondelete=ondelete
    )
