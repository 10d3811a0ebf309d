"""How far the caller's level reaches: the term that narrows a statement to the rows it covers."""

from uuid import UUID

from sqlalchemy import ColumnElement, false, or_, select, true

from modules.mandates.models import GroupMember
from modules.shared.catalogue import AccessLevel
from modules.shared.context import RequestContext


def level_of(context: RequestContext) -> AccessLevel:
    """The level of the pair the context is bound to; none when it is bound to nothing."""
    if context.item is None or context.action is None:
        return AccessLevel.NONE
    return context.permissions.level(context.item, context.action)


def within_reach(context: RequestContext, owner: ColumnElement[UUID]) -> ColumnElement[bool]:
    """Rows of everybody, of people in the caller's groups and the caller, of the caller alone, or none."""
    match level_of(context):
        case AccessLevel.ALL:
            return true()
        case AccessLevel.GROUP:
            colleagues = select(GroupMember.user_id).where(
                GroupMember.mandate_id == context.mandate.id, GroupMember.group_id.in_(context.groups)
            )
            return or_(owner == context.user.id, owner.in_(colleagues))
        case AccessLevel.MY:
            return owner == context.user.id
        case AccessLevel.NONE:
            return false()
