"""`/context`: what a front-end needs to draw itself."""

from fastapi import APIRouter

from modules.rbac.endpoints.signatures import AnyMember, Contexts
from modules.rbac.schemas.contexts import ContextRead

router = APIRouter(tags=["context"])


@router.get("/context", operation_id="get_context", summary="Read the present context")
async def get_context(context: AnyMember, contexts: Contexts) -> ContextRead:
    """User, mandate, instance, roles, groups, effective permissions and login policy of this very request."""
    return await contexts.read(context)
