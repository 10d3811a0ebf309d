"""`/rbac`: questions about rights."""

from fastapi import APIRouter

from modules.rbac.endpoints.signatures import AnyMember, Decisions, MayReadRoles
from modules.rbac.schemas.decisions import (
    CheckQuestion,
    CheckRequest,
    CheckResponse,
    ExplainResponse,
    ItemList,
    Matrix,
)

router = APIRouter(prefix="/rbac", tags=["rbac"])


@router.post("/check", operation_id="check_permissions", summary="Ask what I may do")
async def check_permissions(context: AnyMember, asked: CheckRequest, decisions: Decisions) -> CheckResponse:
    """Up to 200 answers by the rules that decide this very request."""
    return CheckResponse(results=decisions.check(context, asked.checks))


@router.post("/explain", operation_id="explain_permission", summary="Ask why")
async def explain_permission(context: AnyMember, asked: CheckQuestion, decisions: Decisions) -> ExplainResponse:
    """Why I may, or may not and what would change that. Without permission to read roles: the reason code alone."""
    return await decisions.explain(context, asked)


@router.get("/items", operation_id="list_items", summary="List what can be permitted")
async def list_items(context: MayReadRoles, decisions: Decisions) -> ItemList:
    """Every declared item that rules of this mandate can speak of."""
    return ItemList(items=decisions.items(context))


@router.get("/matrix", operation_id="get_matrix", summary="Read the matrix of roles and items")
async def get_matrix(context: MayReadRoles, decisions: Decisions) -> Matrix:
    """What each role that can be given here gives on each item."""
    return await decisions.matrix(context)
