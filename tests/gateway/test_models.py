"""The models say what the tables are: the SQL of the migration is the truth, the classes mirror it."""

from importlib import import_module
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, inspect
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapper

import modules
from modules.shared.database import Base
from tests.support.postgres import DatabaseUrls


def _mappers() -> list[Mapper[object]]:
    """Every model of the product; tests declare more."""
    root = Path(next(iter(modules.__path__)))
    for file in [*root.glob("*/models.py"), root / "shared" / "idempotency.py"]:
        import_module(".".join(("modules", *file.relative_to(root).with_suffix("").parts)))
    found = [mapper for mapper in Base.registry.mappers if mapper.class_.__module__.startswith("modules.")]
    return sorted(found, key=lambda mapper: mapper.class_.__name__)


def _declared(mapper: Mapper[object]) -> dict[str, tuple[str, bool, bool]]:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return {
        column.name: (_named(column.type.compile(dialect)), bool(column.nullable), column.primary_key)
        for column in mapper.local_table.columns
    }


def _stored(connection: Connection, table: str) -> dict[str, tuple[str, bool, bool]]:
    inspector = inspect(connection)
    key = inspector.get_pk_constraint(table)["constrained_columns"]
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return {
        column["name"]: (_named(column["type"].compile(dialect)), column["nullable"], column["name"] in key)
        for column in inspector.get_columns(table)
    }


def _named(kind: str) -> str:
    """Text has two names."""
    return kind.replace("VARCHAR", "TEXT")


@pytest.mark.parametrize("mapper", _mappers(), ids=lambda mapper: mapper.class_.__name__)
def test_mirrors_its_table(mapper: Mapper[object], database_urls: DatabaseUrls) -> None:
    engine = create_engine(database_urls.superuser.replace("postgresql://", "postgresql+psycopg://", 1))
    try:
        with engine.connect() as connection:
            assert _declared(mapper) == _stored(connection, str(mapper.local_table.description))
    finally:
        engine.dispose()
