"""`/auth/devices`: the browsers I am known by."""

from uuid import UUID

from fastapi import APIRouter

from modules.auth.endpoints.browser import Cookies
from modules.auth.endpoints.signatures import Devices, SignedInPerson
from modules.auth.schemas.sessions import DeviceList

router = APIRouter(prefix="/auth/devices", tags=["auth"])


@router.get("", operation_id="list_devices", summary="List my known browsers")
async def list_devices(caller: SignedInPerson, devices: Devices, cookies: Cookies) -> DeviceList:
    """Those I have signed in with, the newest first, this one marked. A known browser causes no mail at a sign-in, and
    wrong passwords typed elsewhere do not lock it out.
    """
    return DeviceList(items=await devices.list_own(caller, cookies.device))


@router.delete("/{device_id}", status_code=204, operation_id="forget_device", summary="Forget one of my browsers")
async def forget_device(caller: SignedInPerson, device_id: UUID, devices: Devices) -> None:
    """Its sessions go on; end them with `DELETE /auth/sessions/{session_id}`."""
    await devices.forget(caller, device_id)
