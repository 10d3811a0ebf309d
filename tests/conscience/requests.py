"""A request for every operation, made of objects that really exist: what a client of good will would send.

An operation with a body or a required query parameter has an entry here; a test fails for one that has none.
"""

from typing import Any
from uuid import UUID

import httpx

from gateway.console.routes import folder_of_files
from tests.conscience.operations import Operation
from tests.conscience.world import PASSWORD, Place, World
from tests.support.gateway import Person

Body = dict[str, Any]
_PAGES = {
    "/console/{name}": {"name": "console.js"},
    "/console/{folder}/{name}": {"folder": folder_of_files(), "name": "console.js"},
    "/docs/{name}": {"name": "start.js"},
    "/errors/{code}": {"code": "not_found"},
}


def bodies(place: Place, world: World) -> dict[str, Body]:
    """By operation. What a body refers to is in `place`."""
    rule = {"kind": "RESOURCE", "item": "members", "read": "all"}
    link = {"token": "a-secret-nobody-was-sent"}
    role_ids = [str(place.role_id)]
    return {
        "accept_invitation": link,
        "begin_connection": {"offline": False},
        "begin_provider_login": {"return_to": "/console/"},
        "add_domain": {"domain": "another.test", "role_id": str(place.role_id)},
        "add_member": {"user_id": str(world.outsider.id), "role_ids": role_ids},
        "ask_magic_link": {"email": "viewer@example.test"},
        "ask_password_reset": {"email": "viewer@example.test"},
        "begin_entry": {"reason": "somebody asked for help"},
        "change_email": {"email": "moved@example.test"},
        "change_password": {"password": "another quiet heron at dawn"},
        "check_permissions": {"checks": [{"item": "members", "action": "read"}]},
        "confirm_password_reset": {**link, "password": PASSWORD},
        "confirm_totp": {"code": "123456"},
        "create_api_key": {"name": "another program", "scopes": ["members:read"]},
        "create_assignment": {"membership_id": str(place.membership_id)},
        "create_global_role": {"name": "day shift"},
        "create_global_rule": rule,
        "create_group": {"name": "another group"},
        "create_instance": {"feature": "demo", "name": "another instance"},
        "create_invitation": {
            "email": "somebody@example.test",
            "role_ids": role_ids,
            "group_ids": [str(place.group_id)],
        },
        "create_mandate": {"slug": "another", "name": "Another"},
        "create_passkey": {"name": "Laptop", "credential": _passkey("attestationObject")},
        "create_role": {"name": "another role", "instance_id": str(place.instance_id)},
        "create_rule": rule,
        "create_ticket": {"path": "/api/v1/audit.csv"},
        "duplicate_role": {"name": "the copy"},
        "explain_permission": {"item": "members", "action": "read"},
        "introspect_token": {"token": "a-token-nobody-has"},
        "issue_token": {"grant_type": "password", "username": "viewer@example.test", "password": PASSWORD},
        "link_provider": {"return_to": "/console/"},
        "log_in": {"email": "viewer@example.test", "password": PASSWORD},
        "put_instance_access": {"enabled": False},
        "register": {"email": "newcomer@example.test", "password": PASSWORD},
        "rename_passkey": {"name": "Key ring"},
        "replace_global_rules": {"rules": [rule]},
        "replace_rules": {"rules": [rule]},
        "revoke_token": {"token": "a-token-nobody-has"},
        "rotate_keys": {"compromised": False},
        "show_second_factor": {"totp": "123456"},
        "sign_in_with_passkey": {"credential": _passkey("authenticatorData", "signature")},
        "step_up": {"password": PASSWORD},
        "take_back_email": link,
        "update_domain": {"enabled": False},
        "update_any_mandate": {"name": "Renamed"},
        "update_global_role": {"description": "Changed"},
        "update_group": {"name": "renamed group"},
        "update_instance": {"name": "renamed instance"},
        "update_instance_access": {"enabled": False},
        "update_mandate": {"name": "Renamed"},
        "update_member": {"role_ids": role_ids},
        "update_profile": {"display_name": "Renamed"},
        "update_role": {"description": "Changed"},
        "verify_email": link,
        "verify_magic_link": link,
    }


def _passkey(*parts: str) -> Body:
    """As a browser sends one, which proves nothing."""
    response = {"clientDataJSON": "e30", **dict.fromkeys(parts, "AAAA")}
    return {"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": response}


def queries(place: Place) -> dict[str, dict[str, str]]:
    """By operation: what must or is best asked with."""
    return {
        "delete_mandate": {"slug": "disabled"},
        "find_tokens": {"user_id": str(place.user_id)},
        "list_members": {"group_id": str(place.group_id)},
    }


def path_values(
    operation: Operation, place: Place, world: World, caller: Person | None = None
) -> dict[str, UUID | str]:
    """What stands in the path. Administration has objects of its own."""
    if operation.path in _PAGES:
        return dict(_PAGES[operation.path])
    values: dict[str, UUID | str] = {**place.values()}
    if operation.path.startswith("/api/v1/admin/roles"):
        values |= {"role_id": world.global_role_id, "rule_id": world.global_rule_id}
    if operation.path.startswith("/api/v1/admin/mandates"):
        values |= {"mandate_id": _administered(operation, world)}
    if operation.operation_id == "create_assignment":
        values |= {"role_id": world.global_role_id}
    if operation.operation_id == "take_sysadmin":
        values |= {"user_id": world.other_sysadmin.id}
    if operation.operation_id == "revoke_session" and caller is not None:
        values |= {"session_id": caller.session_id}
    return values


def _administered(operation: Operation, world: World) -> UUID:
    by_operation = {
        "delete_mandate": world.disabled_mandate_id,
        "enable_mandate": world.disabled_mandate_id,
        "end_entry": world.foreign.mandate_id,
        "restore_mandate": world.deleted_mandate_id,
    }
    return by_operation.get(operation.operation_id or "", world.spare_mandate_id)


async def send(
    client: httpx.AsyncClient, operation: Operation, place: Place, world: World, caller: Person | None = None
) -> httpx.Response:
    """The request of good will, about what is in `place`; leaves no cookies behind."""
    body = bodies(place, world).get(operation.operation_id or "")
    answer = await client.request(
        operation.method,
        operation.filled(path_values(operation, place, world, caller)),
        params=queries(place).get(operation.operation_id or ""),
        json=body if operation.takes_json else None,
        data=body if operation.media_type and not operation.takes_json else None,
    )
    client.cookies.clear()
    return answer
