"""The effective tables of this process, by the roles they are made of; no table is looked up by a person.

The name of a table is what the statement says of the held and capping roles: their ids, versions and marks. A change of
a rule changes its role's version and so the name, which is why nothing here is ever invalidated, and why two people
with the same roles share a table.
"""

from collections.abc import Awaitable, Callable

from modules.rbac.evaluator import CompiledRole, CompiledRoles, EffectiveTable, RoleVersion
from modules.rbac.lru import LruByBytes
from modules.rbac.repository.authorisation import parse_bindings
from modules.rbac.scoped_table import ScopedTable
from modules.shared.catalogue import ItemCatalogue
from modules.shared.ids import RoleId

HeldRoles = tuple[str | None, str | None, str]
"""The roles of the mandate, those of the instance, and the caps, as the statement writes them."""


class EffectiveTables:
    """Finds tables and makes those that are missing. Roles and tables are kept within `memory` bytes each."""

    def __init__(
        self,
        compile_roles: Callable[[set[RoleId]], Awaitable[dict[RoleVersion, CompiledRole]]],
        catalogue: ItemCatalogue,
        memory: int,
    ) -> None:
        self._compile_roles = compile_roles
        self._catalogue = catalogue
        self._roles = CompiledRoles(memory)
        self._tables: LruByBytes[HeldRoles, EffectiveTable] = LruByBytes(memory)

    def find(self, held_roles: HeldRoles) -> EffectiveTable | None:
        """The table of exactly these roles, if one is kept."""
        return self._tables.find(held_roles)

    async def make(self, held_roles: HeldRoles) -> EffectiveTable:
        """The table of these roles; those not compiled yet are read."""
        held = [*parse_bindings(held_roles[0]), *parse_bindings(held_roles[1])]
        caps = parse_bindings(held_roles[2])
        compiled = self._roles.find([*held, *caps])
        missing = {(binding.role_id, binding.version) for binding in (*held, *caps)} - compiled.keys()
        if not missing:
            return self._keep(held_roles, EffectiveTable(held, compiled, caps))
        read = await self._compile_roles({role_id for role_id, _ in missing})
        for role in read.values():
            self._roles.keep(role)
        if missing <= read.keys():
            return self._keep(held_roles, EffectiveTable(held, compiled | read, caps))
        # A rule changed between the two statements: what was read now is newer, so it decides, but is not kept under
        # the older name.
        newest = {role.role_id: role for role in read.values()}
        current = {key: newest.get(key[0]) or CompiledRole(*key, ()) for key in missing}
        return EffectiveTable(held, compiled | current, caps)

    def cut(self, held_roles: HeldRoles, whole: EffectiveTable, scopes: tuple[str, ...]) -> EffectiveTable:
        """The owner's table as far as the scopes of an API key go; kept only if the whole one is."""
        name = (held_roles[0], held_roles[1], f"{held_roles[2]}#{' '.join(scopes)}")
        if self._tables.find(held_roles) is not whole:
            return ScopedTable(whole, scopes, self._catalogue)
        return self._tables.find(name) or self._keep(name, ScopedTable(whole, scopes, self._catalogue))

    def _keep(self, name: HeldRoles, table: EffectiveTable) -> EffectiveTable:
        self._tables.keep(name, table)
        return table
