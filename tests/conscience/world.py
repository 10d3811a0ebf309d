"""A small world with one of everything: two mandates alike, the operators' one, and whoever might call.

Each mandate has exactly one object of each kind a path can name, so a test can ask for the same thing of the own and of
the foreign mandate.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from modules.auth.api_keys import new_api_key, read_api_key
from modules.auth.passwords import Passwords
from modules.shared import clock
from modules.shared.ids import MandateId, SessionId, new_id
from tests.conscience.snapshot import Snapshot
from tests.support.gateway import Person, RunningGateway, running_gateway
from tests.support.postgres import DatabaseUrls

PASSWORD = "seven quiet herons at dusk"
_OUTSIDE = "outsider@example.test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One object of each kind in one mandate. The fields are named as the parameters of paths."""

    mandate_id: MandateId
    user_id: UUID
    membership_id: UUID
    session_id: UUID
    device_id: UUID
    token_id: UUID
    key_id: UUID
    passkey_id: UUID
    identity_id: UUID
    group_id: UUID
    instance_id: UUID
    role_id: UUID
    rule_id: UUID
    assignment_id: UUID
    invitation_id: UUID
    connection_id: UUID
    domain_id: UUID
    provider: str = "google"
    """Not offered here: nobody is sent anywhere."""

    def values(self) -> dict[str, UUID | str]:
        """By name."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The running application and everything in it."""

    gateway: RunningGateway
    snapshot: Snapshot
    own: Place
    foreign: Place
    global_role_id: UUID
    global_rule_id: UUID
    spare_mandate_id: MandateId
    disabled_mandate_id: MandateId
    deleted_mandate_id: MandateId
    outsider: Person
    other_sysadmin: Person
    personas: dict[str, Person | None]
    omnipotent: Person
    """Administrator of the own mandate, with the sysadmin flag and role: passes every guard."""


@asynccontextmanager
async def world(urls: DatabaseUrls, directory: Path) -> AsyncIterator[World]:
    """The application on a database of its own, peopled."""
    async with running_gateway(
        urls, directory, rate_limits__enabled="no", auth__argon2_memory_kib="8", auth__argon2_iterations="1"
    ) as gateway:
        # 0: also the statement that compares all tables is planned once.
        connection = await asyncpg.connect(urls.superuser, max_cacheable_statement_size=0)
        try:
            yield await _Builder(gateway, connection).build()
        finally:
            await connection.close()


class _Builder:
    """Writes the world straight into the database, past the second wall."""

    def __init__(self, gateway: RunningGateway, connection: "asyncpg.Connection[Any]") -> None:
        self._gateway = gateway
        self._connection = connection

    async def build(self) -> World:
        gateway = self._gateway
        root = await gateway.root()
        own, foreign = await self._place("own", root), await self._place("foreign", root)
        spare, disabled, deleted = [await gateway.mandate(slug) for slug in ("spare", "disabled", "deleted")]
        await self._run(
            "UPDATE mandates SET enabled = false, disabled_at = now() WHERE id = ANY($1)", [disabled, deleted]
        )
        await self._run("UPDATE mandates SET delete_after = now() + interval '9 days' WHERE id = $1", deleted)
        global_role_id, global_rule_id = await self._role(root, "global", "night shift")
        personas = await self._personas(own.mandate_id, foreign.mandate_id, root)
        omnipotent = await gateway.person("omnipotent@example.test", sysadmin=True)
        await gateway.join(omnipotent, own.mandate_id, "administrator")
        await gateway.join(omnipotent, root, "sysadmin")
        outsider = await gateway.person(_OUTSIDE)
        other_sysadmin = await gateway.person("other.sysadmin@example.test", sysadmin=True)
        await self._give_passwords()
        return World(
            gateway=gateway,
            snapshot=await Snapshot.take(self._connection),
            own=own,
            foreign=foreign,
            global_role_id=global_role_id,
            global_rule_id=global_rule_id,
            spare_mandate_id=spare,
            disabled_mandate_id=disabled,
            deleted_mandate_id=deleted,
            outsider=outsider,
            other_sysadmin=other_sysadmin,
            personas=personas,
            omnipotent=omnipotent,
        )

    async def _place(self, slug: str, root: MandateId) -> Place:
        gateway = self._gateway
        mandate_id = await gateway.mandate(slug)
        colleague = await gateway.person(f"colleague@{slug}.test")
        membership_id = await gateway.join(colleague, mandate_id)
        role_id, rule_id = await self._role(mandate_id, "mandate", f"clerk of {slug}")
        group_id = await self._insert("groups", mandate_id=mandate_id, name=f"group of {slug}")
        await self._insert_row("group_members", mandate_id=mandate_id, group_id=group_id, user_id=colleague.id)
        instance_id = await gateway.instance(mandate_id, "demo", f"instance of {slug}")
        await self._insert("instance_access", mandate_id=mandate_id, instance_id=instance_id, user_id=colleague.id)
        assignment_id = await self._insert(
            "role_assignments",
            mandate_id=mandate_id,
            membership_id=membership_id,
            role_id=role_id,
            role_mandate_id=mandate_id,
            role_scope="mandate",
        )
        await self._insert_row("removed_members", mandate_id=mandate_id, user_id=colleague.id, removed_at=clock.now())
        later = clock.now() + timedelta(days=5)
        await self._insert(
            "scheduled_grants",
            mandate_id=mandate_id,
            membership_id=membership_id,
            role_id=role_id,
            valid_from=later,
            granted_by=colleague.id,
        )
        event_id = await self._insert(
            "audit_events",
            mandate_id=mandate_id,
            occurred_at=clock.now(),
            code="group_created",
            outcome="done",
            actor_id=colleague.id,
        )
        await self._insert_row("audit_subjects", mandate_id=mandate_id, event_id=event_id, user_id=colleague.id)
        return Place(
            mandate_id=mandate_id,
            user_id=colleague.id,
            membership_id=membership_id,
            session_id=colleague.session_id,
            device_id=await self._insert("devices", user_id=colleague.id, secret_hash=new_id().bytes),
            token_id=await self._token_of(colleague),
            key_id=await self._key_of(colleague, new_api_key()),
            passkey_id=await self._insert(
                "passkeys",
                user_id=colleague.id,
                credential_id=slug.encode(),
                public_key=b"",
                sign_count=0,
                created_at=later,
            ),
            identity_id=await self._insert(
                "identities",
                user_id=colleague.id,
                authority="google",
                issuer="https://login.microsoftonline.com",
                subject=slug,
                linked_at=later,
                last_used_at=later,
            ),
            group_id=group_id,
            instance_id=instance_id,
            role_id=role_id,
            rule_id=rule_id,
            assignment_id=assignment_id,
            connection_id=await self._insert(
                "connections",
                mandate_id=mandate_id,
                user_id=colleague.id,
                provider="microsoft",
                issuer="https://login.microsoftonline.com",
                subject=slug,
                scopes=["openid"],
                offline=True,
                state="active",
                sealed_tokens=b"",
                expires_at=later,
                created_at=later,
                refreshed_at=later,
            ),
            invitation_id=await self._insert(
                "invitations",
                mandate_id=mandate_id,
                email=f"invited@{slug}.test",
                invited_by=colleague.id,
                expires_at=later,
            ),
            domain_id=await self._insert(
                "mandate_domains",
                mandate_id=mandate_id,
                domain=f"{slug}.test",
                challenge=f"challenge of {slug}",
                offered_by=colleague.id,
                created_at=clock.now(),
            ),
        )

    async def _role(self, mandate_id: MandateId, scope: str, name: str) -> tuple[UUID, UUID]:
        role_id = await self._insert("roles", mandate_id=mandate_id, scope=scope, name=name, version=new_id())
        rule_id = await self._insert(
            "access_rules", mandate_id=mandate_id, role_id=role_id, kind="RESOURCE", item="mandate", may_read=3
        )
        return role_id, rule_id

    async def _token_of(self, person: Person) -> UUID:
        found = await self._connection.fetchval("SELECT id FROM access_tokens WHERE session_id = $1", person.session_id)
        return UUID(str(found))

    async def _key_of(self, person: Person, secret: str) -> UUID:
        token_id = await self._insert(
            "tokens",
            purpose="api_key",
            user_id=person.id,
            authority="api_key",
            secret_hash=read_api_key(secret),
            issued_at=clock.now(),
            expires_at=clock.now() + timedelta(days=5),
        )
        scopes = ["*", "introspect"]
        await self._insert_row("api_keys", id=token_id, name="a program", scopes=scopes, amr=["pwd"])
        return token_id

    async def _personas(self, own: MandateId, foreign: MandateId, root: MandateId) -> dict[str, Person | None]:
        gateway = self._gateway
        people: dict[str, Person | None] = {"anonymous": None}
        for role in ("viewer", "member", "administrator"):
            people[role] = person = await gateway.person(f"{role}@example.test")
            await gateway.join(person, own, role)
        secret = new_api_key()
        key_id = await self._key_of(person, secret)
        people["API key"] = Person(person.id, person.email, SessionId(key_id), secret)
        people["foreign administrator"] = person = await gateway.person("foreign@example.test")
        await gateway.join(person, foreign, "administrator")
        people["disabled member"] = person = await gateway.person("disabled.member@example.test")
        membership_id = await gateway.join(person, own, "administrator")
        await self._run("UPDATE memberships SET enabled = false WHERE id = $1", membership_id)
        people["sysadmin flag"] = await gateway.person("flag@example.test", sysadmin=True)
        people["sysadmin role"] = person = await gateway.person("role@example.test")
        await gateway.join(person, root, "sysadmin")
        people["sysadmin flag and role"] = person = await gateway.person("flag.and.role@example.test", sysadmin=True)
        await gateway.join(person, root, "sysadmin")
        for name in ("sysadmin flag", "sysadmin flag and role"):
            # Otherwise the first request of each would make one, which would be a change.
            await self._entry(people[name], own)
            await self._entry(people[name], foreign)
        return people

    async def _entry(self, person: Person | None, mandate_id: MandateId) -> None:
        assert person is not None
        await self._insert(
            "sysadmin_entries",
            mandate_id=mandate_id,
            session_id=person.session_id,
            user_id=person.id,
            mode="open",
            valid_until=clock.now() + timedelta(minutes=30),
        )

    async def _give_passwords(self) -> None:
        password_hash = await self._gateway.services.get(Passwords).hash(PASSWORD)
        await self._run(
            "INSERT INTO password_credentials (user_id, password_hash) SELECT id, $1 FROM users", password_hash
        )

    async def _insert(self, table: str, **values: object) -> UUID:
        row_id = new_id()
        await self._insert_row(table, id=row_id, **values)
        return row_id

    async def _insert_row(self, table: str, **values: object) -> None:
        places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
        await self._run(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", *values.values())

    async def _run(self, statement: str, *values: object) -> None:
        await self._connection.execute(statement, *values)
