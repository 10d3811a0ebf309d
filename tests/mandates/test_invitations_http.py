"""`/invitations`: by mail, for the owner of the address, and only while the inviter may still give what is promised."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
from sqlalchemy import event

from modules.mandates.service.invitations import InvitationService
from tests.mandates.conftest import House
from tests.mandates.test_members_http import rule
from tests.support.gateway import Person

GUEST = "guest@example.org"


async def invited(house: House, email: str = GUEST, by: Person | None = None, **promised: object) -> dict[str, Any]:
    return await house.made(by or house.administrator, "/invitations", email=email, **promised)


async def accept(house: House, person: Person, secret: str) -> httpx.Response:
    async with house.gateway.client(person) as client:
        return await client.post("/api/v1/invitations/accept", json={"token": secret})


class TestCreateInvitation:
    async def test_mails_a_link_whose_secret_is_in_the_fragment(self, house: House) -> None:
        await invited(house, "Guest@Example.ORG", language="de")
        await house.send_invitations()
        (mail,) = house.mailer.to(GUEST)
        assert mail.subject == "Einladung zu Acme bei Mandate Gateway"
        assert "ada lädt Sie ein" in mail.text
        assert "http://127.0.0.1:8000/console/#/invitation/" in mail.text

    async def test_keeps_the_secret_nowhere(self, house: House) -> None:
        await invited(house)
        secret = await house.secret_for(GUEST)
        for statement in (
            "SELECT args::text AS row FROM jobs.procrastinate_jobs",
            "SELECT t::text AS row FROM tokens t",
        ):
            assert all(secret not in row["row"] for row in await house.gateway.sql(statement))

    async def test_says_nothing_about_accounts(self, house: House) -> None:
        known = await invited(house, house.stranger.email)
        unknown = await invited(house, "nobody@example.org")
        assert known.keys() == unknown.keys()
        assert (known["state"], unknown["state"]) == ("open", "open")

    async def test_refuses_a_second_one_to_an_address(self, house: House) -> None:
        await invited(house)
        answer = await house.call(house.administrator, "POST", "/invitations", json={"email": "GUEST@example.org"})
        assert (answer.status_code, answer.json()["code"]) == (409, "already_invited")

    async def test_refuses_a_member(self, house: House) -> None:
        answer = await house.call(house.administrator, "POST", "/invitations", json={"email": house.member.email})
        assert (answer.status_code, answer.json()["code"]) == (409, "already_a_member")

    async def test_refuses_roles_and_groups_of_another_mandate(self, house: House) -> None:
        role = (await house.made(house.stranger, "/roles", name="Theirs"))["id"]
        group = (await house.made(house.stranger, "/groups", name="Theirs"))["id"]
        for promised, code in (
            ({"role_ids": [role]}, "role_not_assignable"),
            ({"group_ids": [group]}, "group_unknown"),
        ):
            answer = await house.call(house.administrator, "POST", "/invitations", json={"email": GUEST, **promised})
            assert (answer.status_code, answer.json()["code"]) == (422, code)

    async def test_refuses_what_is_no_address(self, house: House) -> None:
        for email in (
            "guest",
            "guest@",
            "a@b\u0000.org",
            "x" * 250 + "@example.org",
            "Guest <guest@example.org>\nBcc: x",
        ):
            answer = await house.call(house.administrator, "POST", "/invitations", json={"email": email})
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/email")

    async def test_mails_an_address_three_times_an_hour_at_most(self, house: House) -> None:
        for _ in range(3):
            path = f"/invitations/{(await invited(house))['id']}"
            await house.call(house.administrator, "DELETE", path)
        answer = await house.call(house.administrator, "POST", "/invitations", json={"email": GUEST})
        assert answer.status_code == 429
        assert "Retry-After" in answer.headers


class TestAcceptInvitation:
    async def test_makes_a_member_with_what_was_promised(self, house: House) -> None:
        group = await house.made(house.administrator, "/groups", name="Team")
        await invited(house, role_ids=[await house.role("viewer")], group_ids=[group["id"]])
        guest = await house.gateway.person(GUEST)
        answer = await accept(house, guest, await house.secret_for(GUEST))
        assert (answer.status_code, answer.json()["slug"]) == (200, "acme"), answer.text
        assert (await house.call(guest, "GET", "/mandate")).status_code == 200
        members = (await house.call(house.administrator, "GET", "/members", params={"q": GUEST})).json()["items"]
        assert [(each["role_ids"], each["group_ids"]) for each in members] == [
            ([await house.role("viewer")], [group["id"]])
        ]
        states = (await house.call(house.administrator, "GET", "/invitations")).json()["items"]
        assert [(each["state"], each["accepted_by"]) for each in states] == [("accepted", str(guest.id))]
        assert "invitation_accepted" in await house.audited()

    async def test_is_for_the_owner_of_the_address_only(self, house: House) -> None:
        await invited(house)
        secret = await house.secret_for(GUEST)
        answer = await accept(house, house.stranger, secret)
        assert (answer.status_code, answer.json()["code"]) == (403, "invitation_for_somebody_else")
        assert (await accept(house, await house.gateway.person(GUEST), secret)).status_code == 200

    async def test_needs_a_sign_in(self, house: House) -> None:
        async with house.gateway.client() as client:
            answer = await client.post(
                "/api/v1/invitations/accept", json={"token": "x"}, headers={"X-Requested-With": "x"}
            )
        assert answer.status_code == 401

    async def test_works_once_however_often_it_is_clicked(self, house: House) -> None:
        await invited(house)
        secret, guest = await house.secret_for(GUEST), await house.gateway.person(GUEST)
        answers = await asyncio.gather(*(accept(house, guest, secret) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) in ([200, 404, 404, 404], [200, 404, 404, 409])
        rows = await house.gateway.sql("SELECT 1 FROM memberships WHERE user_id = :user", user=guest.id)
        assert len(rows) == 1

    async def test_refuses_what_is_no_secret(self, house: House) -> None:
        for secret in ("x", "é" * 50, "a" * 200):
            answer = await accept(house, house.member, secret)
            assert (answer.status_code, answer.json()["code"]) == (404, "invitation_not_found")

    async def test_is_stale_when_the_inviter_may_not_give_it_any_more(self, house: House) -> None:
        second = await house.gateway.person()
        membership = await house.gateway.join(second, house.mandate, "administrator")
        await invited(house, by=second, role_ids=[await house.role("administrator")])
        secret, guest = await house.secret_for(GUEST), await house.gateway.person(GUEST)
        clerk = await house.own_role("Clerk", rule("invitations", create="all"))
        path = f"/members/{membership}"
        await house.call(house.administrator, "PATCH", path, json={"role_ids": [str(clerk)]})
        answer = await accept(house, guest, secret)
        assert (answer.status_code, answer.json()["code"]) == (409, "invitation_stale")
        rows = await house.gateway.sql("SELECT 1 FROM memberships WHERE user_id = :user", user=guest.id)
        assert rows == []

    async def test_puts_a_refusal_on_record_in_the_mandate(self, house: House) -> None:
        await invited(house)
        answer = await accept(house, house.member, await house.secret_for(GUEST))
        assert (answer.status_code, answer.json()["code"]) == (403, "invitation_for_somebody_else")
        (noted,) = await house.gateway.sql(
            "SELECT * FROM audit_events WHERE code = 'invitation_acceptance_refused' AND mandate_id = :id",
            id=house.mandate,
        )
        assert (noted["actor_id"], noted["outcome"]) == (house.member.id, "refused")
        assert noted["details"] == {"reason": "invitation_for_somebody_else"}

    async def test_holds_one_connection_at_a_time(self, house: House) -> None:
        await invited(house)
        secret, guest = await house.secret_for(GUEST), await house.gateway.person(GUEST)
        engine, held = house.gateway.database.app_engine.sync_engine, [0]
        event.listen(engine, "checkout", lambda *_: held.append(held[-1] + 1))
        event.listen(engine, "checkin", lambda *_: held.append(held[-1] - 1))
        assert (await accept(house, guest, secret)).status_code == 200
        assert max(held) == 1

    async def test_is_stale_when_the_inviter_is_gone(self, house: House) -> None:
        second = await house.gateway.person()
        membership = await house.gateway.join(second, house.mandate, "administrator")
        await invited(house, by=second)
        secret = await house.secret_for(GUEST)
        await house.call(house.administrator, "DELETE", f"/members/{membership}")
        answer = await accept(house, await house.gateway.person(GUEST), secret)
        assert (answer.status_code, answer.json()["code"]) == (409, "invitation_stale")

    async def test_can_be_tried_again_when_it_was_stale(self, house: House) -> None:
        group = await house.made(house.administrator, "/groups", name="Team")
        await invited(house, group_ids=[group["id"]])
        secret, guest = await house.secret_for(GUEST), await house.gateway.person(GUEST)
        await house.call(house.administrator, "DELETE", f"/groups/{group['id']}")
        for _ in range(2):
            assert (await accept(house, guest, secret)).json()["code"] == "invitation_stale"

    async def test_never_gives_the_role_sysadmin(self, house: House) -> None:
        wanted = {"email": GUEST, "role_ids": [await house.role("sysadmin")]}
        answer = await house.call(house.operator, "POST", "/invitations", await house.gateway.root(), json=wanted)
        assert (answer.status_code, answer.json()["code"]) == (422, "role_not_assignable")

    async def test_never_gives_a_role_that_answers_for_the_installation_since(self, house: House) -> None:
        root = await house.gateway.root()
        role = (await house.call(house.operator, "POST", "/roles", root, json={"name": "Clerk"})).json()
        wanted = {"email": GUEST, "role_ids": [role["id"]]}
        answer = await house.call(house.operator, "POST", "/invitations", root, json=wanted)
        assert answer.status_code == 201, answer.text
        rule = {"kind": "RESOURCE", "item": "admin.users", "read": "all"}
        answer = await house.call(house.operator, "POST", f"/roles/{role['id']}/rules", root, json=rule)
        assert answer.status_code == 201, answer.text
        answer = await accept(house, await house.gateway.person(GUEST), await house.secret_for(GUEST))
        assert (answer.status_code, answer.json()["code"]) == (409, "invitation_stale")

    async def test_is_over_when_it_was_withdrawn(self, house: House) -> None:
        invitation = await invited(house)
        secret = await house.secret_for(GUEST)
        path = f"/invitations/{invitation['id']}"
        assert (await house.call(house.administrator, "DELETE", path)).status_code == 204
        answer = await accept(house, await house.gateway.person(GUEST), secret)
        assert (answer.status_code, answer.json()["code"]) == (404, "invitation_not_found")
        again = await house.call(house.administrator, "DELETE", path)
        assert (again.status_code, again.json()["code"]) == (409, "invitation_settled")

    async def test_is_over_when_its_time_is(self, house: House) -> None:
        await invited(house)
        secret = await house.secret_for(GUEST)
        await house.gateway.sql("UPDATE invitations SET expires_at = now()")
        answer = await accept(house, await house.gateway.person(GUEST), secret)
        assert answer.status_code == 404
        page = (await house.call(house.administrator, "GET", "/invitations", params={"state": "expired"})).json()
        assert [each["email"] for each in page["items"]] == [GUEST]

    async def test_is_refused_while_the_mandate_is_disabled(self, house: House) -> None:
        await invited(house)
        secret = await house.secret_for(GUEST)
        await house.gateway.sql("UPDATE mandates SET enabled = false WHERE id = :id", id=house.mandate)
        assert (await accept(house, await house.gateway.person(GUEST), secret)).status_code == 404


class TestResendInvitation:
    async def test_mails_another_link_and_begins_the_time_anew(self, house: House) -> None:
        invitation = await invited(house)
        await house.gateway.sql("UPDATE invitations SET expires_at = now()")
        path = f"/invitations/{invitation['id']}/resend"
        answer = await house.call(house.administrator, "POST", path)
        assert (answer.status_code, answer.json()["state"]) == (200, "open")
        guest = await house.gateway.person(GUEST)
        assert (await accept(house, guest, await house.secret_for(GUEST))).status_code == 200
        settled = await house.call(house.administrator, "POST", path)
        assert (settled.status_code, settled.json()["code"]) == (409, "invitation_settled")


class TestListInvitations:
    async def test_with_level_my_shows_ones_own(self, house: House) -> None:
        clerk = await house.person_with(rule("invitations", create="my", read="my"))
        await invited(house, "one@example.org")
        await invited(house, "two@example.org", by=clerk)
        page = (await house.call(clerk, "GET", "/invitations")).json()
        assert [each["email"] for each in page["items"]] == ["two@example.org"]

    async def test_finds_by_address_and_state(self, house: House) -> None:
        for email in ("one@example.org", "two@example.org"):
            await invited(house, email)
        query = {"q": "two", "state": "open", "sort": "email"}
        page = (await house.call(house.administrator, "GET", "/invitations", params=query)).json()
        assert [each["email"] for each in page["items"]] == ["two@example.org"]

    async def test_is_not_found_from_another_mandate(self, house: House) -> None:
        path = f"/invitations/{(await invited(house))['id']}"
        assert (await house.call(house.stranger, "GET", "/invitations")).json()["items"] == []
        assert (await house.call(house.stranger, "DELETE", path)).status_code == 404
        assert (await house.call(house.stranger, "POST", f"{path}/resend")).status_code == 404
        assert (await house.call(house.administrator, "DELETE", f"/invitations/{uuid4()}")).status_code == 404


class TestRegistrationByInvitation:
    async def test_is_open_to_the_invited_address(self, house: House) -> None:
        invitation = await invited(house)
        invitations, secret = house.gateway.services.get(InvitationService), await house.secret_for(GUEST)
        assert await invitations.is_open(secret, GUEST)
        assert not await invitations.is_open(secret, "else@example.org")
        assert not await invitations.is_open("x", GUEST)
        await house.call(house.administrator, "DELETE", f"/invitations/{invitation['id']}")
        assert not await invitations.is_open(secret, GUEST)
