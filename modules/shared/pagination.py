"""Lists in pages: the wire shape, the cursor, and the one way to read a page from the database.

A page continues after the last row seen (keyset), so it costs the same at any depth and rows added or removed meanwhile
neither repeat nor hide others. The cursor is opaque to clients and proves nothing: every page passes the same guards
and row terms as the first.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
import json
from typing import Annotated, Any, Final, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, Select, and_, or_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from modules.shared.errors import MalformedRequest
from modules.shared.i18n import Text
from modules.shared.wire import is_storable

MOST_ITEMS: Final = 200
_LONGEST_CURSOR: Final = 2000

Item = TypeVar("Item")
Column = ColumnElement[Any] | InstrumentedAttribute[Any]


class MalformedCursor(MalformedRequest):
    """400: the cursor is not one this list gave, or belongs to another order."""

    code = "malformed_cursor"
    title = Text(en="The cursor is not one of this list", de="Der Cursor stammt nicht aus dieser Liste")
    detail = Text(
        en="Use `next_cursor` unchanged, with the same `sort`, or leave `cursor` out to start again.",
        de="`next_cursor` unverändert und mit demselben `sort` verwenden, oder ohne `cursor` neu beginnen.",
    )


class Page(BaseModel, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next_cursor: str | None = Field(description="Where the next page begins; null on the last page.")


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which page is wanted."""

    limit: int = 50
    cursor: str | None = None


async def _page_query(
    limit: Annotated[int, Query(ge=1, le=MOST_ITEMS, description="Most items of the page.")] = 50,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
) -> PageQuery:
    return PageQuery(limit, cursor)


Paging = Annotated[PageQuery, Depends(_page_query, scope="function")]
"""The parameters `limit` and `cursor` of a list."""


@dataclass(frozen=True, slots=True)
class Ordering:
    """The order of a list: one column that is never NULL, then the id so that no two rows are equal.

    `name` is what the client asked for (`name`, `-created_at`); a cursor of another order is refused.
    """

    name: str
    column: Column
    tie: Column

    @property
    def descending(self) -> bool:
        return self.name.startswith("-")

    @classmethod
    def choose(cls, name: str, columns: Mapping[str, Column], tie: Column) -> "Ordering":
        """The ordering a `sort` parameter names; the route has checked that it is one of `columns`."""
        return cls(name, columns[name.removeprefix("-")], tie)


async def read_page(
    session: AsyncSession, statement: Select[*tuple[Any, ...]], ordering: Ordering, query: PageQuery
) -> tuple[Sequence[Any], str | None]:
    """The rows of one page and the cursor of the next.

    The statement must select the ordering's two columns last, after everything else; they are what the cursor says.
    Raises MalformedCursor.
    """
    column, tie = ordering.column, ordering.tie
    if query.cursor is not None:
        value, last_id = _decode(query.cursor, ordering)
        beyond = column < value if ordering.descending else column > value
        further = tie < last_id if ordering.descending else tie > last_id
        statement = statement.where(or_(beyond, and_(column == value, further)))
    directed = (column.desc(), tie.desc()) if ordering.descending else (column.asc(), tie.asc())
    statement = statement.add_columns(column, tie).order_by(*directed).limit(query.limit + 1)
    rows = (await session.execute(statement)).all()
    shown = rows[: query.limit]
    return shown, _encode(ordering, *shown[-1][-2:]) if len(rows) > query.limit else None


def _encode(ordering: Ordering, value: object, row_id: UUID) -> str:
    told = value.isoformat() if isinstance(value, datetime) else value
    position = json.dumps([ordering.name, told, str(row_id)], ensure_ascii=False, separators=(",", ":"))
    return urlsafe_b64encode(position.encode()).decode().rstrip("=")


def _decode(cursor: str, ordering: Ordering) -> tuple[Any, UUID]:
    try:
        raw = urlsafe_b64decode(_short_ascii(cursor) + "=" * (-len(cursor) % 4))
        name, told, row_id = json.loads(raw)
        value = _READ[ordering.column.type.python_type](told), UUID(_text(row_id))
    except (ValueError, TypeError, RecursionError) as error:
        raise MalformedCursor(pointer="cursor") from error
    if name != ordering.name:
        raise MalformedCursor(pointer="cursor")
    return value


def _short_ascii(cursor: str) -> str:
    if len(cursor) > _LONGEST_CURSOR or not cursor.isascii():
        raise ValueError
    return cursor


def _text(value: object) -> str:
    if not isinstance(value, str) or not is_storable(value):
        raise ValueError
    return value


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.utcoffset() is None or not 1 < moment.year < 9999:
        raise ValueError
    return moment


def _number(value: object) -> int:
    if type(value) is not int or not -(2**31) <= value < 2**31:
        raise ValueError
    return value


_READ: Final[Mapping[type, Callable[[object], object]]] = {str: _text, datetime: _moment, int: _number}
