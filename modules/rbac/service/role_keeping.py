"""How roles and rules are kept, whoever they belong to: the acts that a mandate's roles and the global ones share.

Which roles may be seen and changed, and what a change must pass, differs: `roles.py` and `global_roles.py` say it.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from uuid import uuid4

from sqlalchemy.exc import IntegrityError

from modules.audit.service import AuditLog, Subject
from modules.rbac import errors
from modules.rbac.models import Role, RoleRule
from modules.rbac.repository import roles as repository
from modules.rbac.schemas.roles import RoleCreate, RolePatch, RoleRead, RuleList, RuleRead, RulesReplace, RuleWrite
from modules.rbac.service.installation_roles import InstallationRoles
from modules.rbac.service.rule_writing import stored_rule, written_rule
from modules.shared import clock
from modules.shared.catalogue import ItemCatalogue
from modules.shared.context import RequestContext
from modules.shared.ids import RoleId, RuleId, new_id
from modules.shared.versions import ExpectedVersions, require_version

_COLUMNS = ("kind", "item", "may_view", "may_create", "may_read", "may_update", "may_delete")


class RoleKeeping(ABC):
    """The acts. Every write happens inside `_changing`, where rights are compared before and after."""

    def __init__(self, audit: AuditLog, catalogue: ItemCatalogue, installation: InstallationRoles) -> None:
        self._audit = audit
        self._catalogue = catalogue
        self._installation = installation

    @abstractmethod
    async def list_roles(self, context: RequestContext) -> list[RoleRead]:
        """Every role there is to see."""

    @abstractmethod
    def _changing(self, context: RequestContext) -> AbstractAsyncContextManager[None]:
        """Lock, and compare rights before and after the block."""

    @abstractmethod
    async def _find(self, context: RequestContext, role_id: RoleId) -> Role:
        """A role the caller may see. Raises RoleNotFound."""

    @abstractmethod
    async def _own(self, context: RequestContext, role_id: RoleId, expected: ExpectedVersions) -> Role:
        """A role whose name may change. Raises RoleNotFound, BuiltInRole, PreconditionFailed."""

    @abstractmethod
    async def _ruled(self, context: RequestContext, role_id: RoleId, expected: ExpectedVersions) -> Role:
        """A role whose rules may change. Raises as `_own`."""

    @abstractmethod
    def _new(self, context: RequestContext, wanted: RoleCreate) -> Role:
        """A role to be."""

    async def get(self, context: RequestContext, role_id: RoleId) -> RoleRead:
        """One role. Raises RoleNotFound."""
        return (await self._read(context, [await self._find(context, role_id)]))[0]

    async def create(self, context: RequestContext, wanted: RoleCreate) -> RoleRead:
        """An empty role. Raises RoleNameTaken, RoleNotAssignable for an instance that is not here."""
        return await self._insert(context, self._new(context, wanted), ())

    async def patch(
        self, context: RequestContext, role_id: RoleId, changes: RolePatch, expected: ExpectedVersions
    ) -> RoleRead:
        """Rename or describe. Raises BuiltInRole, RoleNameTaken."""
        async with self._changing(context):
            role = await self._own(context, role_id, expected)
            for name, value in changes.changes().items():
                setattr(role, name, value)
            role.version = uuid4()
            await self._flush(context)
        self._record(context, "role_changed", role, changes.changes())
        return (await self._read(context, [role]))[0]

    async def delete(self, context: RequestContext, role_id: RoleId, expected: ExpectedVersions) -> None:
        """Remove a role and take it from everybody who holds it. Raises StepUpRequired as the changes of rules do."""
        async with self._changing(context):
            role = await self._own(context, role_id, expected)
            await self._confirm(context, role)
            await context.db.delete(role)
        self._record(context, "role_deleted", role, {"name": role.name})

    # ── rules: changed after a recent sign-in, when they answer for the installation ──────────────────────────────────

    async def list_rules(self, context: RequestContext, role_id: RoleId) -> RuleList:
        """The rules of a role, by kind and item."""
        return await self._rules_of(context, await self._find(context, role_id))

    async def replace_rules(
        self, context: RequestContext, role_id: RoleId, wanted: RulesReplace, expected: ExpectedVersions
    ) -> RuleList:
        """Make these exactly the rules of a role. Raises DuplicateRule when two speak of the same item."""
        if len({(rule.kind, rule.item) for rule in wanted.rules}) < len(wanted.rules):
            raise errors.DuplicateRule(pointer="/rules")
        rows = [
            stored_rule(rule, context.mandate.id, role_id, self._catalogue, f"/rules/{place}")
            for place, rule in enumerate(wanted.rules)
        ]
        async with self._changing(context):
            role = await self._ruled(context, role_id, expected)
            await self._confirm(context, role, rows)
            await repository.delete_rules(context.db, context.mandate.id, role_id)
            context.db.add_all(rows)
        self._record(context, "rules_replaced", role, {"rules": [_told(rule) for rule in wanted.rules]})
        return await self._rules_of(context, role)

    async def add_rule(
        self, context: RequestContext, role_id: RoleId, rule: RuleWrite, expected: ExpectedVersions
    ) -> RuleRead:
        """Add one rule. Raises DuplicateRule when the role has one on this item."""
        row = stored_rule(rule, context.mandate.id, role_id, self._catalogue, "")
        async with self._changing(context):
            role = await self._ruled(context, role_id, expected)
            await self._confirm(context, role, [row])
            for known in await repository.list_rules(context.db, [role_id]):
                if (known.kind, known.item) == (row.kind, row.item):
                    raise errors.DuplicateRule(pointer="/item")
            context.db.add(row)
        self._record(context, "rule_added", role, {"rule": _told(rule)})
        return written_rule(row)

    async def delete_rule(
        self, context: RequestContext, role_id: RoleId, rule_id: RuleId, expected: ExpectedVersions
    ) -> None:
        """Remove one rule; this too is compared, since a narrow rule may have held a wide one down."""
        async with self._changing(context):
            role = await self._ruled(context, role_id, expected)
            await self._confirm(context, role)
            rules = await repository.list_rules(context.db, [role_id])
            row = next((rule for rule in rules if rule.id == rule_id), None)
            if row is None:
                raise errors.RuleNotFound
            await context.db.delete(row)
        self._record(context, "rule_deleted", role, {"rule": _told(written_rule(row))})

    # ── steps ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _insert(self, context: RequestContext, role: Role, rules: Sequence[RoleRule]) -> RoleRead:
        async with self._changing(context):
            context.db.add(role)
            await self._flush(context)
            context.db.add_all(
                RoleRule(
                    id=new_id(),
                    mandate_id=role.mandate_id,
                    role_id=role.id,
                    **{column: getattr(rule, column) for column in _COLUMNS},
                )
                for rule in rules
            )
        await context.db.refresh(role)  # its rules have renewed its version
        self._record(context, "role_created", role, {"name": role.name, "scope": role.scope, "rules": len(rules)})
        return (await self._read(context, [role]))[0]

    async def _confirm(self, context: RequestContext, role: Role, coming: Sequence[RoleRule] = ()) -> None:
        await self._installation.demand_recent(context.db, [role], context.login, coming)

    async def _flush(self, context: RequestContext) -> None:
        try:
            await context.db.flush()
        except IntegrityError as error:
            if "roles_name" in str(error.orig):
                raise errors.RoleNameTaken(pointer="/name") from error
            raise errors.RoleNotAssignable(pointer="/instance_id") from error

    async def _expected(self, context: RequestContext, role: Role, expected: ExpectedVersions) -> Role:
        """The role as it is now that it is locked, in a version the caller has seen."""
        await context.db.refresh(role)
        require_version(role.version, expected)
        return role

    async def _rules_of(self, context: RequestContext, role: Role) -> RuleList:
        await context.db.refresh(role)  # its rules have renewed its version
        rows = await repository.list_rules(context.db, [role.id])
        return RuleList(items=[written_rule(row) for row in rows], version=role.version)

    def _is_built_in(self, role: Role) -> bool:
        return role.key is not None

    async def _read(self, context: RequestContext, roles: Sequence[Role]) -> list[RoleRead]:
        rules = await repository.count_rules(context.db, [role.id for role in roles])
        return [
            RoleRead(
                id=role.id,
                scope=role.scope,  # type: ignore[arg-type] # the column's CHECK allows exactly these
                instance_id=role.instance_id,
                key=role.key,
                name=role.name,
                description=role.description,
                built_in=self._is_built_in(role),
                rules=rules.get(role.id, 0),
                version=role.version,
                created_at=role.created_at,
            )
            for role in roles
        ]

    def _record(self, context: RequestContext, code: str, role: Role, details: dict[str, object]) -> None:
        self._audit.record(context.db, code, by=context, subject=Subject("role", role.id), details=details)


def new_role(context: RequestContext, scope: str, name: str, description: str) -> Role:
    """A role without rules, of the context's mandate."""
    return Role(
        id=new_id(),
        mandate_id=context.mandate.id,
        scope=scope,
        instance_id=None,
        key=None,
        name=name,
        description=description,
        travels=False,
        version=uuid4(),
        created_at=clock.now(),
    )


def _told(rule: RuleWrite) -> dict[str, object]:
    return rule.model_dump(mode="json", exclude_none=True, exclude={"id"})
