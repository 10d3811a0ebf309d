"""`/mandate/domains`: mail domains whose people may join; `/mandates/joinable`: joining."""

from fastapi import APIRouter, Response

from modules.mandates.dependencies import (
    Domains,
    Joining,
    MayCreateDomains,
    MayDeleteDomains,
    MayReadDomains,
    MayUpdateDomains,
    SignedIn,
    Words,
)
from modules.mandates.schemas.domains import (
    DomainCreate,
    DomainPatch,
    DomainRead,
    DomainSort,
    JoinableMandates,
)
from modules.mandates.schemas.mandates import MandateChoice
from modules.shared.idempotency import Once
from modules.shared.ids import DomainId, MandateId
from modules.shared.pagination import Page, Paging
from modules.shared.versions import IfMatch

router = APIRouter(prefix="/mandate/domains", tags=["domains"])
joining_router = APIRouter(prefix="/mandates/joinable", tags=["domains"])


@router.get("", operation_id="list_domains", summary="List mail domains")
async def list_domains(
    context: MayReadDomains, domains: Domains, paging: Paging, words: Words = None, sort: DomainSort = "domain"
) -> Page[DomainRead]:
    """The domains your level reaches, with the record that proves each."""
    return await domains.list_page(context, words, sort, paging)


@router.post("", status_code=201, response_model=DomainRead, operation_id="add_domain", summary="Add a mail domain")
async def add_domain(context: MayCreateDomains, domain: DomainCreate, domains: Domains, once: Once) -> Response:
    """Needs a recent sign-in. Answers the TXT record to publish; nobody joins before it was found."""
    return await once.answer(context, domain, lambda: domains.add(context, domain))


@router.post("/{domain_id}/verify", operation_id="verify_domain", summary="Look for the record of a mail domain")
async def verify_domain(context: MayUpdateDomains, domain_id: DomainId, domains: Domains) -> DomainRead:
    """Needs a recent sign-in. From now on people of the domain may join, as long as the record stays."""
    return await domains.verify(context, domain_id)


@router.patch("/{domain_id}", operation_id="update_domain", summary="Change how people of a mail domain join")
async def update_domain(
    context: MayUpdateDomains, domain_id: DomainId, patch: DomainPatch, domains: Domains, expected: IfMatch
) -> DomainRead:
    """Merge patch (RFC 7396). Needs a recent sign-in. From then on the role is given on your word."""
    return await domains.patch(context, domain_id, patch, expected)


@router.delete("/{domain_id}", status_code=204, operation_id="delete_domain", summary="Remove a mail domain")
async def delete_domain(context: MayDeleteDomains, domain_id: DomainId, domains: Domains, expected: IfMatch) -> None:
    """Nobody joins by it any more; members stay members."""
    await domains.delete(context, domain_id, expected)


@joining_router.get("", operation_id="list_joinable_mandates", summary="List the mandates you may join by yourself")
async def list_joinable_mandates(caller: SignedIn, joining: Joining) -> JoinableMandates:
    """Those with a domain at which this very sign-in proved an address of yours. Needs no `X-Mandate-Id`."""
    return await joining.list_joinable(caller)


@joining_router.post("/{mandate_id}/join", operation_id="join_mandate", summary="Join a mandate by yourself")
async def join_mandate(caller: SignedIn, mandate_id: MandateId, joining: Joining) -> MandateChoice:
    """Become a member of a mandate that `GET /mandates/joinable` shows."""
    return await joining.join(caller, mandate_id)
