"""The second wall: what a forgotten WHERE would show, what a pool could leak, and the catalogue of every table."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Table, event, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.pool import ConnectionPoolEntry

from modules.shared.database import Tenant
from modules.shared.database_logins import LOGINS
from tests.shared.host_application import Host, HostBase, add_rows, create_tables, installed_host
from tests.support.postgres import DatabaseUrls

_tables: Mapping[str, Table] = HostBase.metadata.tables
_invoices, _customers, _tickets = _tables["invoices"], _tables["customers"], _tables["tickets"]
_SETTINGS = "SELECT " + ", ".join(
    f"coalesce(current_setting('mandate.{name}', true), '')" for name in ("mandate_id", "instance_id", "user_id")
)


@pytest.fixture
async def host(database_urls: DatabaseUrls) -> AsyncIterator[Host]:
    """With a pool of one connection, so that whoever comes next gets the one just used."""
    async with installed_host(database_urls, pool_size=1, max_overflow=0, system_pool_size=1) as host:
        await add_rows(host)
        yield host


class TestAForgottenWhere:
    async def test_shows_the_mandate_of_the_transaction_only(self, host: Host) -> None:
        async with host.database.session(Tenant(host.mandate)) as session:
            assert set(await session.scalars(select(_invoices.c.number))) == {"mine", "mates", "others"}

    async def test_shows_nothing_without_a_mandate(self, host: Host) -> None:
        async with host.database.session(Tenant(user_id=host.me)) as session:
            for name in ("invoices", "customers", "invoice_lines", "tickets"):
                assert (await session.execute(select(_tables[name]))).all() == []

    async def test_shows_the_instance_of_the_transaction_only(self, host: Host) -> None:
        async with host.database.session(Tenant(host.mandate, host.instance)) as session:
            assert set(await session.scalars(select(_tickets.c.words))) == {"mine", "mates", "others"}
        async with host.database.session(Tenant(host.mandate)) as session:
            assert (await session.scalars(select(_tickets.c.words))).all() == []

    async def test_changes_nothing_elsewhere(self, host: Host) -> None:
        async with host.database.session(Tenant(host.foreign)) as session:
            await session.execute(update(_invoices).values(number="changed"))
        async with host.unnarrowed() as session:
            numbers = await session.scalars(text("SELECT number FROM invoices"))
            assert sorted(numbers) == ["changed", "mates", "mine", "others"]

    async def test_cannot_write_into_another_mandate(self, host: Host) -> None:
        row = {"name": "new", "mandate_id": host.foreign, "owner_id": host.me}
        with pytest.raises(ProgrammingError, match="row-level security"):
            async with host.database.session(Tenant(host.mandate)) as session:
                await session.execute(insert(_customers).values(**row))

    async def test_cannot_move_a_row_into_another_mandate(self, host: Host) -> None:
        with pytest.raises(ProgrammingError, match="row-level security"):
            async with host.database.session(Tenant(host.mandate)) as session:
                await session.execute(update(_tables["invoice_lines"]).values(mandate_id=host.foreign))


class TestReferences:
    async def test_cannot_leave_the_mandate(self, host: Host) -> None:
        """Referential checks pass by row-level security: the key itself must carry the mandate."""
        async with host.unnarrowed() as session:
            foreign = await session.scalar(text("SELECT id FROM customers WHERE name = 'foreign'"))
        row = {"number": "new", "amount_cents": 1, "mandate_id": host.mandate, "owner_id": host.me}
        with pytest.raises(IntegrityError, match="foreign key"):
            async with host.database.session(Tenant(host.mandate)) as session:
                await session.execute(insert(_invoices).values(customer_id=foreign, **row))


async def _next_user_sees_nothing(host: Host) -> None:
    async with host.database.session() as session:
        assert (await session.execute(text(_SETTINGS))).one() == ("", "", "")
        assert (await session.execute(select(_invoices))).all() == []


class TestTheTenantOfATransaction:
    """On a pool of one connection."""

    async def test_ends_with_a_commit(self, host: Host) -> None:
        async with host.database.session(Tenant(host.mandate, host.instance, host.me)) as session:
            assert len((await session.execute(select(_invoices))).all()) == 3
        await _next_user_sees_nothing(host)

    async def test_ends_with_an_error_of_the_database(self, host: Host) -> None:
        with pytest.raises(DBAPIError):
            async with host.database.session(Tenant(host.mandate, host.instance, host.me)) as session:
                await session.execute(text("SELECT 1 / 0"))
        await _next_user_sees_nothing(host)

    async def test_ends_with_an_error_of_the_program(self, host: Host) -> None:
        async def fail() -> None:
            async with host.database.session(Tenant(host.mandate, host.instance, host.me)) as session:
                await session.execute(text("SELECT 1"))
                raise LookupError

        with pytest.raises(LookupError):
            await fail()
        await _next_user_sees_nothing(host)

    async def test_ends_with_a_cancellation(self, host: Host) -> None:
        async def work() -> None:
            async with host.database.session(Tenant(host.mandate, host.instance, host.me)) as session:
                await session.execute(select(_invoices))
                started.set()
                await session.execute(text("SELECT pg_sleep(30)"))

        started = asyncio.Event()
        task = asyncio.create_task(work())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await _next_user_sees_nothing(host)

    async def test_outlives_a_savepoint_and_ends_after_it(self, host: Host) -> None:
        async with host.database.session(Tenant(host.mandate)) as session:
            for error in (None, LookupError):
                savepoint = await session.begin_nested()
                await session.execute(select(_invoices))
                await (savepoint.rollback() if error else savepoint.commit())
                assert len((await session.execute(select(_invoices))).all()) == 3
        await _next_user_sees_nothing(host)

    async def test_holds_in_the_next_transaction_of_the_same_session(self, host: Host) -> None:
        session = host.database.open(Tenant(host.mandate))
        for _ in range(2):
            assert len((await session.execute(select(_invoices))).all()) == 3
            await session.commit()
        await session.close()
        await _next_user_sees_nothing(host)

    async def test_is_not_the_one_before(self, host: Host) -> None:
        for mandate, rows in ((host.mandate, 3), (host.foreign, 1), (host.mandate, 3)):
            async with host.database.session(Tenant(mandate)) as session:
                assert len((await session.execute(select(_invoices))).all()) == rows

    async def test_cannot_be_changed_by_a_read_only_transaction(self, host: Host) -> None:
        session = host.database.open(Tenant(host.mandate), read_only=True)
        assert len((await session.execute(select(_invoices))).all()) == 3
        with pytest.raises(DBAPIError, match="read-only"):
            await session.execute(update(_invoices).values(number="x"))
        await session.close()

    async def test_travels_inside_begin(self, host: Host) -> None:
        """No round trip of its own: the statements are as many with a tenant as without."""
        sent: list[str] = []

        @event.listens_for(host.database.app_engine.sync_engine, "checkout")
        def log(connection: Any, _entry: ConnectionPoolEntry, _proxy: object) -> None:  # noqa: ANN401 - the adapter's
            driver: asyncpg.Connection = connection.driver_connection
            driver.add_query_logger(_log)

        async def _log(record: Any) -> None:  # noqa: ANN401 - asyncpg's LoggedQuery
            sent.append(record.query)

        async with host.database.session(Tenant(host.mandate, host.instance, host.me)) as session:
            await session.execute(text("SELECT 1"))
        begin, *others = [each for each in sent if "SELECT 1" not in each]
        assert begin.startswith("BEGIN")
        assert begin.count("SET LOCAL mandate.") == 3
        assert [each.rstrip("; ") for each in others] == ["COMMIT"]


# ── the catalogue of every table ──────────────────────────────────────────────────────────────────────────────────

_NOT_COMPOSITE = {
    (
        "role_assignments",
        "roles",
    ): "a global role is the root mandate's; its key carries that",
}
_WITHOUT_MANDATE = {
    "mandate_domains (domain)": "proven by one mandate alone; others may offer it until then",
    "access_rules (role_id, kind, item)": "a role is of one mandate",
    "role_assignments (membership_id, role_id)": "a membership is of one mandate",
    "role_assignments (instance_access_id, role_id)": "an access is of one mandate",
}
"""Unique keys beside the primary key `id`, which is a random UUID of the application, and why they need no mandate."""


@pytest.fixture
async def catalogue(database_urls: DatabaseUrls) -> AsyncIterator[asyncpg.Connection]:
    """Our schema with a host's tables in it, as a superuser sees it."""
    await create_tables(database_urls.owner)
    connection = await asyncpg.connect(database_urls.superuser)
    yield connection
    await connection.close()


_OWNED = """
    SELECT c.oid, c.relname, c.relrowsecurity, c.relforcerowsecurity, a.attnotnull,
        EXISTS (SELECT FROM pg_attribute i WHERE i.attrelid = c.oid AND i.attname = 'instance_id') AS has_instance
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'mandate_id' AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname
"""
_BY_INSTANCE = {"tickets"}


class TestEveryTableWithAMandate:
    async def test_is_known_to_this_test(self, catalogue: asyncpg.Connection) -> None:
        names = {row["relname"] for row in await catalogue.fetch(_OWNED)}
        assert {"invoices", "tickets", "memberships", "roles", "audit_events", "audit_subjects"} <= names

    async def test_enables_and_forces_row_level_security(self, catalogue: asyncpg.Connection) -> None:
        for row in await catalogue.fetch(_OWNED):
            assert (row["relname"], row["relrowsecurity"], row["relforcerowsecurity"]) == (row["relname"], True, True)

    async def test_has_a_policy_that_compares_the_tenant_in_both_directions(
        self, catalogue: asyncpg.Connection
    ) -> None:
        for row in await catalogue.fetch(_OWNED):
            policy = await catalogue.fetchrow(
                """SELECT pg_get_expr(polqual, polrelid) AS sees, pg_get_expr(polwithcheck, polrelid) AS writes, polcmd,
                       polroles::regrole[]::text AS roles, polpermissive
                   FROM pg_policy WHERE polrelid = $1 AND polname = 'tenant'""",
                row["oid"],
            )
            assert policy is not None, row["relname"]
            assert policy["sees"] == policy["writes"]
            assert (policy["polcmd"], policy["roles"]) == (b"*", "{mandate_app}")
            settings = ["mandate.mandate_id", *(["mandate.instance_id"] if row["relname"] in _BY_INSTANCE else [])]
            for setting in settings:
                assert f"NULLIF(current_setting('{setting}'::text, true), ''::text)" in policy["sees"]

    async def test_lets_only_known_policies_widen_what_a_request_sees(self, catalogue: asyncpg.Connection) -> None:
        wider = await catalogue.fetch(
            """SELECT polrelid::regclass::text AS name, polname, polcmd FROM pg_policy
               WHERE polpermissive AND polname <> 'tenant'
                 AND (polroles @> ARRAY['mandate_app'::regrole::oid] OR polroles @> ARRAY[0::oid])"""
        )
        assert {(row["name"], row["polname"], row["polcmd"]) for row in wider} == {
            ("roles", "global_roles", b"r"),
            ("access_rules", "global_rules", b"r"),
            ("memberships", "own_memberships", b"r"),
            ("mandates", "own_mandates", b"r"),
            ("audit_events", "installation_events", b"a"),
            ("audit_subjects", "installation_events", b"a"),
        }

    async def test_never_leaves_the_mandate_open(self, catalogue: asyncpg.Connection) -> None:
        assert [row["relname"] for row in await catalogue.fetch(_OWNED) if not row["attnotnull"]] == []

    async def test_refers_to_others_with_the_mandate_in_the_key(self, catalogue: asyncpg.Connection) -> None:
        references = await catalogue.fetch(
            f"""SELECT f.conrelid::regclass::text AS source, f.confrelid::regclass::text AS target,
                    ARRAY(SELECT attname::text FROM unnest(f.conkey) k JOIN pg_attribute ON attrelid = f.conrelid
                          AND attnum = k) AS columns
                FROM pg_constraint f WHERE f.contype = 'f' AND f.confrelid IN (SELECT oid FROM ({_OWNED}) AS owned)"""
        )
        single = {(row["source"], row["target"]) for row in references if "mandate_id" not in row["columns"]}
        assert single == _NOT_COMPOSITE.keys()
        assert references

    async def test_is_unique_only_within_the_mandate(self, catalogue: asyncpg.Connection) -> None:
        unique = await catalogue.fetch(
            f"""SELECT i.indrelid::regclass::text AS name,
                    ARRAY(SELECT attname::text FROM unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
                          JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                          ORDER BY place) AS columns
                FROM pg_index i WHERE i.indisunique AND i.indrelid IN (SELECT oid FROM ({_OWNED}) AS owned)"""
        )
        wider = {
            f"{row['name']} ({', '.join(row['columns'])})"
            for row in unique
            if "mandate_id" not in row["columns"] and row["columns"] != ["id"]
        }
        assert wider == _WITHOUT_MANDATE.keys()


class TestTheLogins:
    async def test_have_no_way_past_the_policies(self, catalogue: asyncpg.Connection) -> None:
        rows = await catalogue.fetch(
            """SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication,
                   EXISTS (SELECT FROM pg_auth_members WHERE member = r.oid) AS is_member
               FROM pg_roles r WHERE rolname = ANY($1)""",
            list(LOGINS),
        )
        assert {row["rolname"] for row in rows} == set(LOGINS)
        assert {tuple(row.values())[1:] for row in rows} == {(False,) * 6}

    @pytest.mark.parametrize("table", ["audit_events", "audit_subjects"])
    async def test_of_requests_only_adds_to_the_audit(self, catalogue: asyncpg.Connection, table: str) -> None:
        rights = {
            right: await catalogue.fetchval("SELECT has_table_privilege('mandate_app', $1, $2)", table, right)
            for right in ("INSERT", "UPDATE", "DELETE", "TRUNCATE")
        }
        assert rights == {"INSERT": True, "UPDATE": False, "DELETE": False, "TRUNCATE": False}

    async def test_of_the_system_changes_no_event(self, catalogue: asyncpg.Connection) -> None:
        for right in ("UPDATE", "DELETE", "TRUNCATE"):
            assert not await catalogue.fetchval(
                "SELECT has_table_privilege('mandate_system', 'audit_events', $1)", right
            )

    async def test_of_requests_has_no_access_to_keys(self, catalogue: asyncpg.Connection) -> None:
        for login in ("mandate_app", "mandate_auth"):
            for right in ("SELECT", "INSERT", "UPDATE", "REFERENCES"):
                assert not await catalogue.fetchval(
                    "SELECT has_any_column_privilege($1, 'signing_keys', $2)", login, right
                )

    async def test_owning_the_schema_is_only_for_migrations(self, catalogue: asyncpg.Connection) -> None:
        owners = await catalogue.fetch("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
        assert [row["tableowner"] for row in owners] == ["mandate_owner"]

    async def test_no_request_may_empty_a_table_at_once(self, catalogue: asyncpg.Connection) -> None:
        """TRUNCATE passes by row-level security."""
        for row in await catalogue.fetch(_OWNED):
            for login in ("mandate_auth", "mandate_app", "mandate_system"):
                assert not await catalogue.fetchval(
                    "SELECT has_table_privilege($1, $2::oid, 'TRUNCATE')", login, row["oid"]
                )
