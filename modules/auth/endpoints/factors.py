"""`/auth/factors`, `/auth/totp`, `/auth/backup-codes`: what I can prove myself with besides a password."""

from fastapi import APIRouter

from modules.auth.endpoints.signatures import BackupCodeLists, Factors, SignedInPerson, TotpApps
from modules.auth.schemas.factors import BackupCodeList, FactorsRead, TotpConfirm, TotpSeed

router = APIRouter(prefix="/auth", tags=["auth"])


@router.get("/factors", operation_id="list_factors", summary="List my factors")
async def list_factors(caller: SignedInPerson, factors: Factors) -> FactorsRead:
    """Which there are; never their secrets."""
    return await factors.list_own(caller)


@router.post("/totp", status_code=201, operation_id="begin_totp", summary="Begin to set up an authenticator app")
async def begin_totp(caller: SignedInPerson, apps: TotpApps) -> TotpSeed:
    """Needs a recent sign-in. The seed is shown this once, and counts when a code of it was confirmed."""
    return TotpSeed.model_validate((await apps.begin(caller))._asdict())


@router.post("/totp/confirm", status_code=204, operation_id="confirm_totp", summary="Confirm the authenticator app")
async def confirm_totp(caller: SignedInPerson, proof: TotpConfirm, apps: TotpApps) -> None:
    """Needs a recent sign-in. From now on a sign-in by one proof asks for a second factor."""
    await apps.confirm(caller, proof.code)


@router.delete(
    "/totp",
    status_code=204,
    operation_id="delete_totp",
    summary="Remove the authenticator app",
    responses={404: {"description": "There is none."}},
)
async def delete_totp(caller: SignedInPerson, apps: TotpApps) -> None:
    """Needs a recent sign-in. Backup codes go with the last factor they stand in for."""
    await apps.remove(caller)


@router.post("/backup-codes", status_code=201, operation_id="create_backup_codes", summary="Make new backup codes")
async def create_backup_codes(caller: SignedInPerson, codes: BackupCodeLists) -> BackupCodeList:
    """Needs a recent sign-in. Ten, shown this once; earlier ones work no more."""
    return BackupCodeList(codes=await codes.renew(caller))
