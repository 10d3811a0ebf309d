"""Delicate acts ask for a recent sign-in: every route that says so, and every one that must say so."""

from tests.conscience.bad_requests import caller
from tests.conscience.operations import Operation
from tests.conscience.requests import send
from tests.conscience.world import World

DELICATE = {
    # password and address
    "change_password",
    "change_email",
    # factors
    "begin_totp",
    "confirm_totp",
    "delete_totp",
    "create_backup_codes",
    "begin_passkey",
    "create_passkey",
    "delete_passkey",
    "remove_user_factors",
    # identities and API keys
    "link_provider",
    "accept_identity",
    "unlink_identity",
    "create_api_key",
    "delete_api_key",
    # sessions and tokens of others
    "end_user_session",
    "end_user_sessions",
    "revoke_any_token",
    "start_password_reset",
    # accounts
    "delete_account",
    "disable_user",
    # the flag, visits, keys
    "give_sysadmin",
    "take_sysadmin",
    "begin_entry",
    "rotate_keys",
}


class TestDelicateRoutes:
    def test_say_that_they_need_a_recent_sign_in(self, walked: list[Operation]) -> None:
        saying = {each.operation_id for each in walked if _says_so(each)}
        assert saying >= DELICATE

    async def test_refuse_an_old_one(self, here: World, walked: list[Operation]) -> None:
        await here.gateway.sql("UPDATE sessions SET authenticated_at = now() - interval '11 minutes'")
        found = {}
        async with caller(here) as client:
            for operation in walked:
                if _says_so(operation):
                    answer = await send(client, operation, here.own, here, here.omnipotent)
                    refusal = answer.json() if answer.content else {}
                    if (answer.status_code, refusal.get("code")) != (403, "step_up_required"):
                        found[str(operation)] = f"{answer.status_code} {answer.text[:100]}"
                    elif refusal["factors"] != ["password"]:
                        found[str(operation)] = str(refusal["factors"])
        assert found == {}


def _says_so(operation: Operation) -> bool:
    return "Needs a recent sign-in" in operation.described.get("description", "")
