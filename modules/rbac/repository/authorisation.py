"""The one statement behind every authorised request, and the rules of roles this process has not compiled yet.

Both run as `mandate_auth`, which can read exactly these columns and change nothing. The row is everything the gates and
the decision need, true at one instant: there is nothing to invalidate afterwards.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from modules.rbac.evaluator import CompiledRole, RoleVersion
from modules.shared.catalogue import AccessLevel, ItemKind
from modules.shared.context import UsedKey
from modules.shared.i18n import Language
from modules.shared.ids import RoleId, TokenId
from modules.shared.prepared_statement import PreparedStatements
from modules.shared.rules import AccessRule, Priority, RoleBinding

_ACTIVE = "({0}.valid_from IS NULL OR {0}.valid_from <= now()) AND ({0}.valid_until IS NULL OR {0}.valid_until > now())"

_CALLER = """
    i.key_set_number,
    t.revoked_at IS NULL AND t.expires_at > now() AND s.revoked_at IS NULL AND s.expires_at > now()
        AS credential_stands,
    t.session_id, t.generation,
    s.last_seen_at < now() - interval '1 minute' OR t.generation > s.confirmed_generation AS touch,
    s.authority, s.tenant, s.proven_email, s.amr, s.authenticated_at, s.proven_at,
    u.id AS user_id, u.slug, u.email, u.display_name, u.language, u.state, u.ver, u.is_sysadmin"""
_FROM_CALLER = """
CROSS JOIN installation i
LEFT JOIN access_tokens t ON t.id = q.token_id
LEFT JOIN sessions s ON s.id = t.session_id
LEFT JOIN users u ON u.id = s.user_id"""

# An API key has no session: both ids are the key's own, and it never carries the flag. What was no provider's word but
# the account's own address counts as long as the account has it.
_KEY = """
    ak.scopes, ak.bound_mandate_id,
    i.key_set_number,
    k.revoked_at IS NULL AND k.expires_at > now() AND ak.id IS NOT NULL AS credential_stands,
    k.id AS session_id, NULL::integer AS generation,
    ak.last_used_at IS NULL OR ak.last_used_at < now() - interval '1 minute' AS touch,
    k.authority, ak.tenant,
    CASE WHEN ak.identity_id IS NOT NULL OR ak.proven_email = u.email THEN ak.proven_email END AS proven_email,
    ak.amr, k.issued_at AS authenticated_at, NULL::timestamptz AS proven_at,
    u.id AS user_id, u.slug, u.email, u.display_name, u.language, u.state, u.ver, false AS is_sysadmin"""
_FROM_KEY = """
CROSS JOIN installation i
LEFT JOIN tokens k ON k.purpose = 'api_key' AND k.secret_hash = q.secret_hash
LEFT JOIN api_keys ak ON ak.id = k.id
LEFT JOIN users u ON u.id = k.user_id"""

_MANDATE = f""",
    m.id AS mandate_id, m.slug AS mandate_slug, m.name AS mandate_name, m.language AS mandate_language, m.is_root,
    m.enabled AS mandate_enabled, m.login_policy::text, i.caps || coalesce(m.caps, '') AS caps,
    ms.id AS membership_id, ms.enabled AND {_ACTIVE.format("ms")} AS membership_active, ms.group_ids"""
_FROM_MANDATE = """
LEFT JOIN mandates m ON m.id = q.mandate_id
LEFT JOIN memberships ms ON ms.mandate_id = m.id AND ms.user_id = u.id"""

_ROLES = f""",
    (SELECT string_agg(r.id::text || '|' || r.version::text || CASE WHEN a.role_scope = 'global' THEN '|1'
            WHEN NOT m.is_root THEN '|2' WHEN r.key = 'sysadmin' THEN '|2rs' ELSE '|2r' END, ',' ORDER BY r.id)
     FROM role_assignments a JOIN roles r ON r.id = a.role_id
     WHERE a.membership_id = ms.id AND {_ACTIVE.format("a")}) AS roles"""  # noqa: S608 - our own constants

_INSTANCE = f""",
    f.id AS instance_id, f.feature, f.name AS instance_name, f.enabled AS instance_enabled,
    x.enabled AND {_ACTIVE.format("x")} AS access_active,
    (SELECT string_agg(r.id::text || '|' || r.version::text || '|3', ',' ORDER BY r.id)
     FROM role_assignments a JOIN roles r ON r.id = a.role_id
     WHERE a.instance_access_id = x.id AND {_ACTIVE.format("a")}) AS instance_roles"""  # noqa: S608 - our own constants
_FROM_INSTANCE = """
LEFT JOIN feature_instances f ON f.mandate_id = m.id AND f.id = q.instance_id
LEFT JOIN instance_access x ON x.mandate_id = m.id AND x.instance_id = f.id AND x.user_id = u.id"""

_ENTRY = f""",
    e.mode AS entry_mode,
    (SELECT string_agg(r.id::text || '|' || r.version::text || '|1'
            || CASE WHEN e.mode = 'break_glass' THEN '' ELSE 'd' END
            || CASE WHEN r.key = 'sysadmin' THEN 's' ELSE '' END, ',' ORDER BY r.id)
     FROM memberships home JOIN role_assignments a ON a.membership_id = home.id
         JOIN roles r ON r.id = a.role_id AND r.travels
     WHERE u.is_sysadmin AND home.mandate_id = i.root_mandate_id AND home.user_id = u.id AND home.enabled
       AND {_ACTIVE.format("home")} AND {_ACTIVE.format("a")}) AS travelling_roles"""  # noqa: S608 - our own constants
_FROM_ENTRY = """
LEFT JOIN sysadmin_entries e ON e.session_id = s.id AND e.mandate_id = m.id
    AND e.ended_at IS NULL AND e.valid_until > now()"""

_NO_MANDATE = """,
    NULL::uuid, NULL::text, NULL::text, NULL::text, false, false, NULL::text, NULL::text,
    NULL::uuid, false, NULL::uuid[]"""
_NO_ROLES = ", NULL::text"
_NO_INSTANCE = ", NULL::uuid, NULL::text, NULL::text, false, false, NULL::text"
_NO_ENTRY = ", NULL::text, NULL::text"

_OF_TOKENS = """, q.place
FROM unnest($1::uuid[]) WITH ORDINALITY q (token_id, place)"""
_IN_MANDATES = """, q.place
FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY q (token_id, mandate_id, place)"""
_IN_INSTANCES = """, q.place
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) WITH ORDINALITY q (token_id, mandate_id, instance_id, place)"""
_OF_KEYS = """, q.place
FROM unnest($1::bytea[]) WITH ORDINALITY q (secret_hash, place)"""
_OF_KEYS_IN_INSTANCES = """, q.place
FROM unnest($1::bytea[], $2::uuid[], $3::uuid[]) WITH ORDINALITY q (secret_hash, mandate_id, instance_id, place)"""


class Question(StrEnum):
    """Which form of the statement a request needs. Each answers the same columns; a plan only pays for the tables it
    names.
    """

    CALLER = "caller"
    """Parameters: token id."""
    MEMBER = "member"
    """Parameters: token id, mandate id."""
    INSTANCE = "instance"
    """Parameters: token id, mandate id, instance id."""
    VISITOR = "visitor"
    """As INSTANCE (whose id may be NULL), and what a sysadmin without membership brings along."""
    KEY = "key"
    """Parameters: the hash of an API key. Two columns about the key come first."""
    KEY_INSTANCE = "key in instance"
    """Parameters: the hash of an API key, mandate id, instance id (may be NULL). As KEY."""


STATEMENTS: dict[str, str] = {
    Question.CALLER: f"SELECT {_CALLER}{_NO_MANDATE}{_NO_ROLES}{_NO_INSTANCE}{_NO_ENTRY}{_OF_TOKENS}{_FROM_CALLER}",
    Question.MEMBER: f"SELECT {_CALLER}{_MANDATE}{_ROLES}{_NO_INSTANCE}{_NO_ENTRY}"
    f"{_IN_MANDATES}{_FROM_CALLER}{_FROM_MANDATE}",
    Question.INSTANCE: f"SELECT {_CALLER}{_MANDATE}{_ROLES}{_INSTANCE}{_NO_ENTRY}"
    f"{_IN_INSTANCES}{_FROM_CALLER}{_FROM_MANDATE}{_FROM_INSTANCE}",
    Question.VISITOR: f"SELECT {_CALLER}{_MANDATE}{_ROLES}{_INSTANCE}{_ENTRY}"
    f"{_IN_INSTANCES}{_FROM_CALLER}{_FROM_MANDATE}{_FROM_INSTANCE}{_FROM_ENTRY}",
    Question.KEY: f"SELECT {_KEY}{_NO_MANDATE}{_NO_ROLES}{_NO_INSTANCE}{_NO_ENTRY}{_OF_KEYS}{_FROM_KEY}",
    Question.KEY_INSTANCE: f"SELECT {_KEY}{_MANDATE}{_ROLES}{_INSTANCE}{_NO_ENTRY}"
    f"{_OF_KEYS_IN_INSTANCES}{_FROM_KEY}{_FROM_MANDATE}{_FROM_INSTANCE}",
}
"""Each takes an array per parameter, and answers exactly one row for each place in them."""

RULES_OF_ROLES = "rules"
RULES = """
SELECT r.id, r.version, r.key = 'everyone' AS locked,
    a.kind, a.item, a.may_view, a.may_create, a.may_read, a.may_update, a.may_delete
FROM roles r LEFT JOIN access_rules a ON a.role_id = r.id AND a.mandate_id = r.mandate_id
WHERE r.id = ANY($1::uuid[])
"""


class Row(Protocol):
    """A row by column name, of asyncpg or SQLAlchemy alike."""

    def __getitem__(self, column: str, /) -> Any: ...  # noqa: ANN401 - a column has the type the statement gives it


class AuthorisationRow(NamedTuple):
    """The statement's columns, in their order."""

    key_set_number: int
    credential_stands: bool | None
    session_id: UUID | None
    generation: int | None
    touch: bool | None
    authority: str
    tenant: str | None
    proven_email: str | None
    amr: list[str]
    authenticated_at: datetime
    proven_at: datetime | None
    user_id: UUID
    slug: str
    email: str
    display_name: str
    language: Language | None
    state: str
    ver: int
    is_sysadmin: bool
    mandate_id: UUID | None
    mandate_slug: str
    mandate_name: str
    mandate_language: Language
    is_root: bool
    mandate_enabled: bool
    login_policy: str | None
    caps: str
    membership_id: UUID | None
    membership_active: bool | None
    group_ids: list[UUID] | None
    roles: str | None
    instance_id: UUID | None
    feature: str
    instance_name: str
    instance_enabled: bool
    access_active: bool | None
    instance_roles: str | None
    entry_mode: str | None
    travelling_roles: str | None
    place: int


class Authorisation:
    """Asks the statement and loads rules. Raises DatabaseUnavailable at the deadline."""

    def __init__(self, connections: PreparedStatements) -> None:
        self.connections = connections
        self._questions = {question: connections.joint(question) for question in Question}

    async def ask(self, question: Question, *parameters: UUID | None) -> AuthorisationRow:
        """Everything about a token, in a mandate and instance if the question names them."""
        return AuthorisationRow._make(await self._questions[question].ask(*parameters))

    async def ask_key(
        self, secret_hash: bytes, mandate_id: UUID | None, instance_id: UUID | None
    ) -> tuple[UsedKey, AuthorisationRow]:
        """The same about an API key. Of one that does not exist, only that it does not stand."""
        if mandate_id is None:
            row = await self._questions[Question.KEY].ask(secret_hash)
        else:
            row = await self._questions[Question.KEY_INSTANCE].ask(secret_hash, mandate_id, instance_id)
        scopes, bound_to, *columns = row
        told = AuthorisationRow._make(columns)
        return UsedKey(TokenId(told.session_id or UUID(int=0)), tuple(scopes or ()), bound_to), told

    async def compile(self, role_ids: set[RoleId]) -> dict[RoleVersion, CompiledRole]:
        """The roles with their rules as they are now, each filed under the version read together with them."""
        return compiled_roles(await self.connections.fetch(RULES_OF_ROLES, list(role_ids)))


def new_connections(url: str, *, connections: int, deadline: timedelta, waiters: int) -> PreparedStatements:
    """The dedicated connections of `mandate_auth`, with everything this file asks prepared on them."""
    return PreparedStatements(
        url, {**STATEMENTS, RULES_OF_ROLES: RULES}, connections=connections, deadline=deadline, waiters=waiters
    )


def compiled_roles(rows: Iterable[Row]) -> dict[RoleVersion, CompiledRole]:
    """The rows of `RULES`, compiled."""
    rules: dict[RoleVersion, list[AccessRule]] = {}
    for row in rows:
        own = rules.setdefault((row["id"], row["version"]), [])
        if row["kind"] is not None:
            own.append(_rule(row))
    return {key: CompiledRole(*key, own) for key, own in rules.items()}


def _rule(row: Row) -> AccessRule:
    create, read, update, delete = (
        None if row[column] is None else AccessLevel(row[column])
        for column in ("may_create", "may_read", "may_update", "may_delete")
    )
    return AccessRule(
        row["id"],
        ItemKind(row["kind"]),
        row["item"],
        row["may_view"],
        create,
        read,
        update,
        delete,
        bool(row["locked"]),
    )


def parse_bindings(text: str | None) -> list[RoleBinding]:
    """Read `id|version|priority+marks` back: `r` the root mandate's own role, `d` not for data (`s`, the role sysadmin,
    is read elsewhere).
    """
    bindings = []
    for part in (text or "").split(","):
        if part:
            role_id, version, marks = part.split("|")
            bindings.append(
                RoleBinding(
                    RoleId(UUID(role_id)),
                    UUID(version),
                    Priority(int(marks[0])),
                    from_root_mandate="r" in marks,
                    answers_data="d" not in marks,
                )
            )
    return bindings
