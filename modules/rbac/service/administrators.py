"""Who can put a mandate right again: members whose rights to its roles and members are complete and without end."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from modules.rbac.evaluator import EffectiveTable
from modules.rbac.repository.holders import read_holdings
from modules.shared.catalogue import AccessLevel, Action, ItemCatalogue, ItemKind
from modules.shared.ids import MandateId, UserId

_ADMINISTRATION: Final = ("rbac.roles", "members")


class MandateAdministrators:
    """The `Administrators` of `modules.shared.grants`."""

    def __init__(self, catalogue: ItemCatalogue) -> None:
        self._catalogue = catalogue

    async def of_mandate(self, session: AsyncSession, mandate_id: MandateId) -> frozenset[UserId]:
        """The members who count as administrators now."""
        holdings = await read_holdings(session, mandate_id)
        tables = {
            bindings: EffectiveTable(bindings, holdings.compiled, holdings.caps)
            for bindings in set(holdings.lasting.values())
        }
        return frozenset(
            user for user, bindings in holdings.lasting.items() if administers(tables[bindings], self._catalogue)
        )


def administers(table: EffectiveTable, catalogue: ItemCatalogue) -> bool:
    """Whether these rights can change every role and every member."""
    items = (catalogue.resolve(path, ItemKind.RESOURCE) for path in _ADMINISTRATION)
    return all(table.level(item, Action.UPDATE) is AccessLevel.ALL for item in items)
