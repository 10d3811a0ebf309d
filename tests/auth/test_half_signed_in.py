"""A sign-in that waits for a second factor lasts no longer than the proof it was begun with."""

from collections.abc import Awaitable, Callable
import re

import pytest

from modules.auth.service.password import PasswordService
from tests.auth.factors import half_signed_in, signed_in_with_app
from tests.auth.people import Browser, Mailbox
from tests.auth.test_administration import operator
from tests.support.gateway import RunningGateway
from tests.support.waiting import eventually

ADA, OTHER = "ada@example.org", "seven purple teapots sing"


async def _change_password(_: RunningGateway, owner: Browser) -> None:
    assert (await owner.post("/users/me/password", json={"password": OTHER})).status_code == 204


async def _log_out_everywhere(_: RunningGateway, owner: Browser) -> None:
    assert (await owner.post("/auth/logout-all")).is_success


async def _reset_password(gateway: RunningGateway, owner: Browser) -> None:
    mailbox = Mailbox(gateway)

    def links() -> list[str]:
        return re.findall(r"#/reset-password/([\w-]{43})", " ".join(mailbox.to(ADA)))

    await owner.post("/auth/password-reset", json={"email": ADA})
    await eventually(lambda: len(links()) == 1)
    chosen = {"token": links()[0], "password": OTHER}
    assert (await owner.post("/auth/password-reset/confirm", json=chosen)).status_code == 204


async def _reset_at_the_command_line(gateway: RunningGateway, _: Browser) -> None:
    await gateway.services.get(PasswordService).replace_as_operator(ADA, OTHER)


async def _disable_for_a_moment(gateway: RunningGateway, owner: Browser) -> None:
    boss, user_id = await operator(gateway), (await owner.get("/users/me")).json()["id"]
    for act in ("disable", "enable"):
        assert (await boss.post(f"/admin/users/{user_id}/{act}")).status_code == 200


async def _sign_out_by_an_operator(gateway: RunningGateway, owner: Browser) -> None:
    boss, user_id = await operator(gateway), (await owner.get("/users/me")).json()["id"]
    assert (await boss.delete(f"/admin/users/{user_id}/sessions")).status_code == 200


@pytest.mark.parametrize(
    "act",
    [
        _change_password,
        _log_out_everywhere,
        _reset_password,
        _reset_at_the_command_line,
        _disable_for_a_moment,
        _sign_out_by_an_operator,
    ],
)
async def test_ends_with_what_makes_its_first_proof_worthless(
    mailing_gateway: RunningGateway, act: Callable[[RunningGateway, Browser], Awaitable[None]]
) -> None:
    owner, _ = await signed_in_with_app(mailing_gateway, ADA)
    codes = (await owner.post("/auth/backup-codes")).json()["codes"]
    thief = await half_signed_in(mailing_gateway, ADA)
    await act(mailing_gateway, owner)
    answer = await thief.post("/auth/second-factor", json={"backup_code": codes[0]})
    assert (answer.status_code, answer.json()["code"]) == (401, "pending_sign_in_ended")
    assert await mailing_gateway.sql("SELECT 1 FROM backup_codes WHERE used_at IS NOT NULL") == []


async def test_is_completed_when_nothing_happened_meanwhile(mailing_gateway: RunningGateway) -> None:
    owner, _ = await signed_in_with_app(mailing_gateway, ADA)
    codes = (await owner.post("/auth/backup-codes")).json()["codes"]
    other = await half_signed_in(mailing_gateway, ADA)
    assert (await other.post("/auth/second-factor", json={"backup_code": codes[0]})).status_code == 200
