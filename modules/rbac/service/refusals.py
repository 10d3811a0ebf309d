"""Who hears of refusals. Whoever refuses a caller says so here first, so that none is given that the audit misses."""

from typing import Protocol
from uuid import UUID

from modules.shared.context import Caller, Client
from modules.shared.errors import DomainError
from modules.shared.ids import MandateId, UserId


class Refusals(Protocol):
    """Audits refusals outside the request's transaction."""

    def refused(
        self, error: DomainError, *, user_id: UserId | None, mandate_id: MandateId | None, client: Client
    ) -> None:
        """Note one refusal; repeated ones are joined."""
        ...


class NotedRefusals:
    """Refusals of callers: `raise refusals.noted(error, caller, mandate_id)`."""

    def __init__(self, refusals: Refusals) -> None:
        self._refusals = refusals

    def noted(self, error: DomainError, caller: Caller, mandate_id: UUID | None) -> DomainError:
        """`error`, once it is noted for the audit of the mandate, or of the installation where none is meant."""
        self._refusals.refused(
            error,
            user_id=caller.user.id,
            mandate_id=MandateId(mandate_id) if mandate_id else None,
            client=caller.client,
        )
        return error
