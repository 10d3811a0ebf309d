"""Accounts, flag holders and tokens, as those see them who run the installation."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.auth.people import Browser, Mailbox, account, audited, signed_in
from tests.support.gateway import Person, RunningGateway


async def operator(gateway: RunningGateway, email: str = "op@example.org", *, sysadmin: bool = False) -> Browser:
    """Somebody with the role `sysadmin` in the root mandate."""
    browser = await signed_in(gateway, email, sysadmin=sysadmin)
    row = (await gateway.sql("SELECT id FROM users WHERE email = :email", email=email))[0]
    person = Person(row["id"], email, row["id"], "")
    await gateway.join(person, await gateway.root(), "sysadmin")
    return browser


class TestUsers:
    async def test_are_found_by_part_of_the_address(self, gateway: RunningGateway) -> None:
        browser = await operator(gateway)
        await account(gateway, "ada@example.org")
        await account(gateway, "bob@example.org")
        found = (await browser.get("/admin/users", params={"q": "ADA"})).json()
        assert [user["email"] for user in found["items"]] == ["ada@example.org"]

    async def test_come_in_pages(self, gateway: RunningGateway) -> None:
        browser = await operator(gateway)
        for number in range(4):
            await account(gateway, f"p{number}@example.org")
        seen: list[str] = []
        cursor = None
        for _ in range(3):
            page = (
                await browser.get(
                    "/admin/users", params={"limit": 2, "sort": "email", **({"cursor": cursor} if cursor else {})}
                )
            ).json()
            seen += [user["email"] for user in page["items"]]
            cursor = page["next_cursor"]
        assert seen == ["op@example.org", *(f"p{number}@example.org" for number in range(4))]
        assert cursor is None

    async def test_are_not_for_others(self, gateway: RunningGateway) -> None:
        ordinary = await signed_in(gateway, "ada@example.org")
        flag_only = await signed_in(gateway, "flag@example.org", sysadmin=True)
        for browser in (ordinary, flag_only):
            assert (await browser.get("/admin/users")).status_code == 403

    async def test_are_blocked_at_once_and_let_in_again(self, gateway: RunningGateway) -> None:
        browser = await operator(gateway)
        ada = await signed_in(gateway, "ada@example.org")
        user_id = (await ada.get("/users/me")).json()["id"]
        assert (await browser.post(f"/admin/users/{user_id}/disable")).json()["state"] == "disabled"
        assert (await ada.get("/users/me")).status_code == 401
        assert (await ada.post("/auth/refresh")).status_code == 401
        assert (await ada.log_in("ada@example.org")).status_code == 401
        await browser.post(f"/admin/users/{user_id}/enable")
        assert (await ada.log_in("ada@example.org")).status_code == 200

    async def test_with_the_flag_are_out_of_reach_of_the_role(self, gateway: RunningGateway) -> None:
        browser = await operator(gateway)
        user_id = await account(gateway, "flag@example.org", sysadmin=True)
        for act in ("disable", "enable", "password-reset"):
            answer = await browser.post(f"/admin/users/{user_id}/{act}")
            assert (answer.status_code, answer.json()["code"]) == (403, "sysadmin_protected")

    async def test_keep_one_working_flag_holder(self, gateway: RunningGateway) -> None:
        browser = await operator(gateway, sysadmin=True)
        me = (await browser.get("/users/me")).json()["id"]
        answer = await browser.post(f"/admin/users/{me}/disable")
        assert (answer.status_code, answer.json()["code"]) == (409, "last_sysadmin")

    async def test_are_signed_out_everywhere_or_once(self, gateway: RunningGateway) -> None:
        browser = await operator(gateway)
        ada = await signed_in(gateway, "ada@example.org")
        user_id = (await ada.get("/users/me")).json()["id"]
        for _ in range(2):
            await Browser(gateway).log_in("ada@example.org")
        sessions = (await browser.get(f"/admin/users/{user_id}/sessions")).json()["items"]
        one = f"/admin/users/{user_id}/sessions/{sessions[0]['id']}"
        assert [(await browser.delete(one)).status_code for _ in range(2)] == [204, 404]
        assert (await browser.delete(f"/admin/users/{user_id}/sessions")).json() == {"revoked": 2}
        assert (await ada.get("/users/me")).status_code == 401

    @pytest.mark.parametrize(
        ("method", "act"), [("DELETE", "sessions"), ("POST", "disable"), ("POST", "password-reset")]
    )
    async def test_are_blocked_signed_out_and_reset_only_after_a_recent_sign_in(
        self, gateway: RunningGateway, method: str, act: str
    ) -> None:
        browser = await operator(gateway)
        user_id = await account(gateway, "ada@example.org")
        await gateway.sql("UPDATE sessions SET authenticated_at = now() - interval '11 minutes'")
        answer = await browser.request(method, f"/admin/users/{user_id}/{act}")
        assert (answer.status_code, answer.json()["code"]) == (403, "step_up_required")

    async def test_get_a_link_for_a_new_password(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        browser = await operator(mailing_gateway)
        user_id = await account(mailing_gateway, "ada@example.org")
        assert (await browser.post(f"/admin/users/{user_id}/password-reset")).status_code == 202
        assert await mailbox.link_to("ada@example.org")

    async def test_get_three_such_links_an_hour_whatever_strangers_ask_for(self, gateway: RunningGateway) -> None:
        browser = await operator(gateway)
        user_id = await account(gateway, "ada@example.org")
        for _ in range(4):
            await Browser(gateway).post("/auth/password-reset", json={"email": "ada@example.org"})
        answers = [await browser.post(f"/admin/users/{user_id}/password-reset") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [202, 202, 202, 429]

    @pytest.mark.parametrize("act", ["disable", "enable", "password-reset"])
    async def test_unknown_are_not_found(self, gateway: RunningGateway, act: str) -> None:
        browser = await operator(gateway)
        answer = await browser.post(f"/admin/users/01890000-0000-7000-8000-000000000000/{act}")
        assert (answer.status_code, answer.json()["code"]) == (404, "user_not_found")


class TestSysadmins:
    async def test_are_made_and_every_holder_is_told(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        browser = await signed_in(mailing_gateway, "ada@example.org", sysadmin=True)
        user_id = await account(mailing_gateway, "bob@example.org")
        answer = await browser.put(f"/admin/system/sysadmins/{user_id}")
        assert answer.json()["is_sysadmin"] is True
        for email in ("ada@example.org", "bob@example.org"):
            assert "bob" in await mailbox.next_to(email)
        assert len(await audited(mailing_gateway, "sysadmin_given")) == 1

    async def test_are_unmade_and_told(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        browser = await signed_in(mailing_gateway, "ada@example.org", sysadmin=True)
        user_id = await account(mailing_gateway, "bob@example.org", sysadmin=True)
        assert (await browser.delete(f"/admin/system/sysadmins/{user_id}")).json()["is_sysadmin"] is False
        assert "no longer" in await mailbox.next_to("bob@example.org")

    async def test_always_stay_one_even_when_two_unmake_each_other(self, gateway: RunningGateway) -> None:
        ada = await signed_in(gateway, "ada@example.org", sysadmin=True)
        bob = await signed_in(gateway, "bob@example.org", sysadmin=True)
        ids = [(await browser.get("/users/me")).json()["id"] for browser in (ada, bob)]
        answers = await asyncio.gather(
            ada.delete(f"/admin/system/sysadmins/{ids[1]}"), bob.delete(f"/admin/system/sysadmins/{ids[0]}")
        )
        assert 200 in {answer.status_code for answer in answers}
        holders = await gateway.sql("SELECT count(*) AS n FROM users WHERE is_sysadmin")
        assert holders[0]["n"] == 1

    async def test_stay_one_who_is_not_about_to_leave(self, gateway: RunningGateway) -> None:
        ada = await signed_in(gateway, "ada@example.org", sysadmin=True)
        bob = await signed_in(gateway, "bob@example.org", sysadmin=True)
        ids = [(await browser.get("/users/me")).json()["id"] for browser in (ada, bob)]
        assert (await ada.delete("/users/me")).status_code == 200
        answer = await bob.delete(f"/admin/system/sysadmins/{ids[1]}")
        assert (answer.status_code, answer.json()["code"]) == (409, "last_sysadmin")

    async def test_need_a_recent_sign_in_to_change(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org", sysadmin=True)
        user_id = await account(gateway, "bob@example.org")
        await gateway.sql("UPDATE sessions SET authenticated_at = now() - interval '11 minutes'")
        answer = await browser.put(f"/admin/system/sysadmins/{user_id}")
        assert answer.json()["code"] == "step_up_required"

    async def test_are_not_made_of_the_disabled(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org", sysadmin=True)
        user_id = await account(gateway, "off@example.org", state="disabled")
        assert (await browser.put(f"/admin/system/sysadmins/{user_id}")).json()["code"] == "user_disabled"

    async def test_are_listed_to_each_other_only(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org", sysadmin=True)
        found = (await browser.get("/admin/system/sysadmins")).json()["items"]
        assert [user["email"] for user in found] == ["ada@example.org"]
        ordinary = await operator(gateway)
        assert (await ordinary.get("/admin/system/sysadmins")).status_code == 403

    async def test_are_not_made_by_the_login_of_requests(self, gateway: RunningGateway) -> None:
        await account(gateway, "ada@example.org")
        with pytest.raises(DBAPIError, match="permission denied"):
            async with gateway.database.session() as session:
                await session.execute(text("UPDATE users SET is_sysadmin = true"))


class TestTokens:
    async def test_of_a_user_are_found_in_pages(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org", sysadmin=True)
        bob = await signed_in(gateway, "bob@example.org")
        user_id = (await bob.get("/users/me")).json()["id"]
        await bob.post("/auth/refresh")
        await bob.post("/auth/password-reset", json={"email": "bob@example.org"})
        seen: list[str] = []
        cursor = None
        while True:
            params = {"user_id": user_id, "limit": "2", **({"cursor": cursor} if cursor else {})}
            page = (await browser.get("/admin/system/tokens", params=params)).json()
            seen += [token["purpose"] for token in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert sorted(seen) == ["access", "access", "password_reset", "refresh"]

    async def test_never_show_a_secret(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org", sysadmin=True)
        user_id = (await browser.get("/users/me")).json()["id"]
        found = (await browser.get("/admin/system/tokens", params={"user_id": user_id})).json()
        assert all("hash" not in name for token in found["items"] for name in token)

    async def test_are_not_listed_all_at_once(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org", sysadmin=True)
        answer = await browser.get("/admin/system/tokens")
        assert (answer.status_code, answer.json()["code"]) == (422, "token_search_too_wide")

    @pytest.mark.parametrize(("purpose", "refreshes"), [("access", 200), ("refresh", 401)])
    async def test_are_ended(self, gateway: RunningGateway, purpose: str, refreshes: int) -> None:
        browser = await signed_in(gateway, "ada@example.org", sysadmin=True)
        bob = await signed_in(gateway, "bob@example.org")
        user_id = (await bob.get("/users/me")).json()["id"]
        wanted = {"user_id": user_id, "purpose": purpose}
        token = (await browser.get("/admin/system/tokens", params=wanted)).json()["items"][0]
        assert (await browser.delete(f"/admin/system/tokens/{token['id']}")).status_code == 204
        assert (await bob.get("/users/me")).status_code == 401
        assert (await bob.post("/auth/refresh")).status_code == refreshes

    async def test_unknown_are_not_found(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org", sysadmin=True)
        answer = await browser.delete("/admin/system/tokens/01890000-0000-7000-8000-000000000000")
        assert answer.json()["code"] == "token_not_found"
