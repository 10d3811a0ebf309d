"""Half-open periods `[valid_from, valid_until)` of memberships and accesses."""

from modules.mandates.errors import InvalidPeriod, OwnPeriodStays
from modules.mandates.models import InstanceAccess, Membership
from modules.shared.context import RequestContext

Period = Membership | InstanceAccess


def require_period(row: Period) -> None:
    """Raise InvalidPeriod unless the row's period, if it has both ends, has a length."""
    if row.valid_from is not None and row.valid_until is not None and row.valid_from >= row.valid_until:
        raise InvalidPeriod(pointer="/valid_until")


def refuse_own_period(context: RequestContext, row: Period, *, before: tuple[object, object]) -> None:
    """Raise OwnPeriodStays when the caller changed the period of their own row.

    The guard compares what people hold, not for how long: a right about to end is still a right.
    """
    if row.user_id == context.user.id and before != (row.valid_from, row.valid_until):
        raise OwnPeriodStays
