"""Passkeys over HTTP, made and used by an authenticator of software that can lie."""

import asyncio
import base64
from collections.abc import Callable
import json
from pathlib import Path
from typing import Any

import cbor2
import pytest

from modules.audit.service import RefusalLog
from modules.auth.service.passkeys import MOST_PASSKEYS
from tests.auth.factors import made, set_up_passkey, sign_in_by_passkey
from tests.auth.people import FAST_HASHES, Browser, Mailbox, account, audited, signed_in
from tests.support.authenticator import BACKED_UP, BACKUP_ELIGIBLE, USER_PRESENT, USER_VERIFIED, Authenticator, encoded
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.postgres import DatabaseUrls

ADA = "ada@example.org"
Wrong = Callable[[dict[str, Any]], object]


async def request_options(browser: Browser) -> dict[str, Any]:
    answer = await browser.post("/auth/passkeys/sign-in/options")
    options: dict[str, Any] = answer.json()["public_key"]
    return options


class TestSettingUpAPasskey:
    async def test_asks_for_one_that_finds_its_person_and_verifies_them(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, ADA)
        options = (await browser.post("/auth/passkeys/options")).json()["public_key"]
        assert options["rp"] == {"name": "Mandate Gateway", "id": "127.0.0.1"}
        assert options["authenticatorSelection"]["residentKey"] == "required"
        assert options["authenticatorSelection"]["userVerification"] == "required"
        assert options["attestation"] == "none"
        assert ADA not in base64.urlsafe_b64decode(options["user"]["id"] + "==").decode("latin-1")

    async def test_lists_it_by_name_and_lets_the_session_count_as_opened_by_two(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, ADA)
        await set_up_passkey(browser)
        (passkey,) = (await browser.get("/auth/passkeys")).json()["items"]
        assert (passkey["name"], passkey["transports"], passkey["last_used_at"]) == ("Laptop", ["internal"], None)
        assert (await browser.get("/auth/sessions")).json()["items"][0]["amr"] == ["pwd", "hwk", "user", "mfa"]

    async def test_does_not_make_the_same_one_again(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, ADA)
        authenticator = await set_up_passkey(browser)
        options = (await browser.post("/auth/passkeys/options")).json()["public_key"]
        assert [each["id"] for each in options["excludeCredentials"]] == [encoded(authenticator.credential_id)]
        answer = await made(browser, authenticator)
        assert (answer.status_code, answer.json()["code"]) == (409, "passkey_known")

    async def test_does_not_take_that_of_somebody_else(self, gateway: RunningGateway) -> None:
        authenticator = await set_up_passkey(await signed_in(gateway, ADA))
        answer = await made(await signed_in(gateway, "bob@example.org"), authenticator)
        assert (answer.status_code, answer.json()["code"]) == (409, "passkey_known")

    @pytest.mark.parametrize(
        "claims",
        [
            {"origin": "https://evil.example"},
            {"origin": "http://127.0.0.1:8001"},
            {"rp_id": "evil.example"},
            {"flags": USER_PRESENT},
            {"flags": USER_VERIFIED},
            {"flags": USER_PRESENT | USER_VERIFIED | BACKED_UP},
            {"cross_origin": True},
            {"credential_id": b""},
        ],
        ids=str,
    )
    async def test_refuses_what_was_made_elsewhere_or_without_the_person(
        self, gateway: RunningGateway, claims: dict[str, Any]
    ) -> None:
        browser = await signed_in(gateway, ADA)
        answer = await made(browser, Authenticator(**claims))
        assert (answer.status_code, answer.json()["code"]) in {
            (422, "passkey_not_accepted"),
            (422, "validation_failed"),
        }
        assert await gateway.sql("SELECT 1 FROM passkeys") == []

    async def test_takes_a_challenge_once_and_in_its_session_only(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, ADA)
        options = (await browser.post("/auth/passkeys/options")).json()["public_key"]
        other = Browser(gateway)
        await other.log_in(ADA)
        refused = await other.post("/auth/passkeys", json={"credential": Authenticator().make(options)})
        assert refused.json()["code"] == "passkey_not_accepted"
        first = await browser.post("/auth/passkeys", json={"credential": Authenticator().make(options)})
        assert first.status_code == 201
        again = await browser.post("/auth/passkeys", json={"credential": Authenticator().make(options)})
        assert (again.status_code, again.json()["code"]) == (422, "passkey_not_accepted")

    async def test_takes_no_challenge_of_a_sign_in(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, ADA)
        creation = (await browser.post("/auth/passkeys/options")).json()["public_key"]
        options = {**creation, "challenge": (await request_options(browser))["challenge"]}
        answer = await browser.post("/auth/passkeys", json={"credential": Authenticator().make(options)})
        assert answer.json()["code"] == "passkey_not_accepted"

    async def test_has_a_most(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, ADA)
        await set_up_passkey(browser)
        await gateway.sql(
            "INSERT INTO passkeys (id, user_id, credential_id, public_key, sign_count, created_at)"
            " SELECT gen_random_uuid(), user_id, decode(lpad(n::text, 8, '0'), 'hex'), public_key, 0, now()"
            " FROM passkeys, generate_series(2, :most) AS n",
            most=MOST_PASSKEYS,
        )
        answer = await browser.post("/auth/passkeys/options")
        assert (answer.status_code, answer.json()["code"]) == (409, "too_many_passkeys")

    async def test_is_told_and_written_down_as_its_end_is(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        browser = await signed_in(mailing_gateway, ADA)
        await set_up_passkey(browser)
        assert "A passkey was added" in await mailbox.next_to(ADA)
        (passkey,) = (await browser.get("/auth/passkeys")).json()["items"]
        assert (await browser.delete(f"/auth/passkeys/{passkey['id']}")).status_code == 204
        assert "A passkey was removed" in await mailbox.next_to(ADA, 2)
        for code in ("passkey_added", "passkey_removed"):
            (event,) = await audited(mailing_gateway, code)
            assert event["subject_id"] == passkey["id"]


class TestSigningInWithAPasskey:
    async def test_needs_nothing_else(self, gateway: RunningGateway) -> None:
        authenticator = await set_up_passkey(await signed_in(gateway, ADA))
        browser = Browser(gateway)
        answer = await sign_in_by_passkey(browser, authenticator)
        assert answer.status_code == 200
        assert answer.json()["user"]["email"] == ADA
        assert (answer.json()["session"]["authority"], answer.json()["session"]["amr"]) == (
            "local",
            ["hwk", "user", "mfa"],
        )
        assert (await browser.get("/users/me")).status_code == 200

    async def test_says_when_the_passkey_is_kept_in_several_places(self, gateway: RunningGateway) -> None:
        flags = USER_PRESENT | USER_VERIFIED | BACKUP_ELIGIBLE | BACKED_UP
        owner = await signed_in(gateway, ADA)
        authenticator = await set_up_passkey(owner, flags=flags)
        answer = await sign_in_by_passkey(Browser(gateway), authenticator)
        assert answer.json()["session"]["amr"] == ["swk", "user", "mfa"]
        assert (await owner.get("/auth/passkeys")).json()["items"][0]["backed_up"] is True

    async def test_names_nobody_before_it_is_shown(self, gateway: RunningGateway) -> None:
        await set_up_passkey(await signed_in(gateway, ADA))
        assert (await request_options(Browser(gateway)))["allowCredentials"] == []

    async def test_works_for_a_passkey_that_never_counts(self, gateway: RunningGateway) -> None:
        authenticator = await set_up_passkey(await signed_in(gateway, ADA), counts=False)
        for _ in range(2):
            assert (await sign_in_by_passkey(Browser(gateway), authenticator)).status_code == 200

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("origin", "https://evil.example"),
            ("rp_id", "evil.example"),
            ("flags", USER_PRESENT),
            ("flags", USER_VERIFIED),
            ("cross_origin", True),
            ("user_handle", bytes(16)),
            ("user_handle", b"short"),
            ("credential_id", b"another"),
            ("key", Authenticator().key),
        ],
        ids=["origin", "site", "unverified", "absent", "frame", "somebody", "nobody", "unknown", "another key"],
    )
    async def test_refuses_what_was_used_elsewhere_or_by_somebody_else(
        self, gateway: RunningGateway, name: str, value: object
    ) -> None:
        authenticator = await set_up_passkey(await signed_in(gateway, ADA))
        setattr(authenticator, name, value)
        browser = Browser(gateway)
        answer = await sign_in_by_passkey(browser, authenticator)
        assert (answer.status_code, answer.json()["code"]) == (401, "passkey_refused")
        assert "auth_token" not in browser.cookies

    async def test_refuses_an_answer_given_before(self, gateway: RunningGateway) -> None:
        authenticator = await set_up_passkey(await signed_in(gateway, ADA))
        browser = Browser(gateway)
        credential = {"credential": authenticator.use(await request_options(browser))}
        assert (await browser.post("/auth/passkeys/sign-in", json=credential)).status_code == 200
        assert (await browser.post("/auth/passkeys/sign-in", json=credential)).status_code == 401

    async def test_uses_a_challenge_up_even_by_a_wrong_answer(self, gateway: RunningGateway) -> None:
        authenticator = await set_up_passkey(await signed_in(gateway, ADA))
        browser = Browser(gateway)
        options = await request_options(browser)
        wrong = Authenticator(credential_id=authenticator.credential_id, user_handle=authenticator.user_handle)
        assert (await self._send(browser, wrong.use(options))).status_code == 401
        assert (await self._send(browser, authenticator.use(options))).status_code == 401

    async def test_refuses_the_challenge_of_another_browser(self, gateway: RunningGateway) -> None:
        authenticator = await set_up_passkey(await signed_in(gateway, ADA))
        options = await request_options(Browser(gateway))
        thief = Browser(gateway)
        await request_options(thief)
        assert (await self._send(thief, authenticator.use(options))).status_code == 401
        assert (await self._send(Browser(gateway), authenticator.use(options))).status_code == 401

    async def test_refuses_a_challenge_of_long_ago(self, gateway: RunningGateway) -> None:
        authenticator = await set_up_passkey(await signed_in(gateway, ADA))
        browser = Browser(gateway)
        options = await request_options(browser)
        await gateway.sql("UPDATE tokens SET expires_at = now() WHERE purpose = 'passkey_ceremony'")
        assert (await self._send(browser, authenticator.use(options))).status_code == 401

    async def test_refuses_a_disabled_account(self, gateway: RunningGateway) -> None:
        authenticator = await set_up_passkey(await signed_in(gateway, ADA))
        await gateway.sql("UPDATE users SET state = 'disabled'")
        assert (await sign_in_by_passkey(Browser(gateway), authenticator)).json()["code"] == "passkey_refused"

    async def test_refuses_a_removed_passkey(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, ADA)
        authenticator = await set_up_passkey(browser)
        (passkey,) = (await browser.get("/auth/passkeys")).json()["items"]
        await browser.delete(f"/auth/passkeys/{passkey['id']}")
        assert (await sign_in_by_passkey(Browser(gateway), authenticator)).status_code == 401

    async def test_refuses_a_count_that_went_back_and_writes_it_down(self, gateway: RunningGateway) -> None:
        owner = await signed_in(gateway, ADA)
        authenticator = await set_up_passkey(owner)
        await sign_in_by_passkey(Browser(gateway), authenticator)
        for count in (-1, 0):  # as a copy would count: behind, and the same once more
            authenticator.count += count
            authenticator.counts = False
            answer = await sign_in_by_passkey(Browser(gateway), authenticator)
            assert (answer.status_code, answer.json()["code"]) == (401, "passkey_count_went_back")
            authenticator.count -= count
        await gateway.services.get(RefusalLog).flush()
        (event,) = await audited(gateway, "passkey_count_went_back")
        ada = (await owner.get("/users/me")).json()["id"]
        assert (event["count"], event["subject_id"]) == (2, ada)

    async def test_with_one_count_twice_at_once_succeeds_once(self, gateway: RunningGateway) -> None:
        authenticator = await set_up_passkey(await signed_in(gateway, ADA))
        authenticator.count, authenticator.counts = 7, False
        browsers = [Browser(gateway) for _ in range(3)]
        proofs = [authenticator.use(await request_options(each)) for each in browsers]
        answers = await asyncio.gather(*map(self._send, browsers, proofs))
        assert sorted(answer.status_code for answer in answers) == [200, 401, 401]

    async def test_keeps_an_account_that_was_to_be_erased(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, ADA)
        authenticator = await set_up_passkey(browser)
        await browser.delete("/users/me")
        answer = await sign_in_by_passkey(Browser(gateway), authenticator)
        assert answer.json()["user"]["delete_after"] is None

    async def test_lets_a_password_alone_in_no_more(self, gateway: RunningGateway) -> None:
        await set_up_passkey(await signed_in(gateway, ADA))
        answer = await Browser(gateway).log_in(ADA)
        assert (answer.status_code, answer.json()["factors"]) == (202, ["passkey"])

    async def _send(self, browser: Browser, credential: dict[str, Any]) -> Any:  # noqa: ANN401
        return await browser.post("/auth/passkeys/sign-in", json={"credential": credential})


def changed(member: str, value: object) -> Wrong:
    def change(credential: dict[str, Any]) -> object:
        return {**credential, "response": {**credential["response"], member: value}}

    return change


NESTED = encoded(b"\x81" * 10_000)
HUGE = encoded(b"\x9b" + b"\xff" * 8)
MALFORMED: dict[str, Wrong] = {
    "no object": lambda _: [],
    "nothing": lambda _: {},
    "null": lambda _: None,
    "another type": lambda good: {**good, "type": "password"},
    "ids that differ": lambda good: {**good, "rawId": encoded(b"x")},
    "an id of no bytes": lambda good: {**good, "id": "", "rawId": ""},
    "an id that is too long": lambda good: {**good, "id": "A" * 2000, "rawId": "A" * 2000},
    "an id in another alphabet": lambda good: {**good, "id": "+/+/", "rawId": "+/+/"},
    "client data that is no JSON": changed("clientDataJSON", encoded(b"{")),
    "client data that is a list": changed("clientDataJSON", encoded(b"[]")),
    "client data nested deeply": changed("clientDataJSON", encoded(b"[" * 3000)),
    "client data that is no text": changed("clientDataJSON", encoded(b"\xff\xfe\x00")),
    "client data without a challenge": changed("clientDataJSON", encoded(json.dumps({"type": "x"}).encode())),
    "client data with a number for a challenge": changed("clientDataJSON", encoded(b'{"challenge": 1}')),
    "client data that is too long": changed("clientDataJSON", "A" * 5000),
    "client data of NUL": changed("clientDataJSON", "\0"),
}


class TestMalformedPasskeys:
    @pytest.mark.parametrize(
        "wrong",
        [
            *MALFORMED.values(),
            changed("attestationObject", NESTED),
            changed("attestationObject", HUGE),
            changed("attestationObject", encoded(b"\xa0")),
            changed("attestationObject", encoded(b"\xff")),
            changed("attestationObject", "A"),
            changed("attestationObject", "A" * 40_000),
            changed(
                "attestationObject",
                encoded(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": b""})),
            ),
            changed("transports", ["x" * 100]),
            changed("transports", "internal"),
            changed("transports", [1] * 5),
        ],
        ids=[*MALFORMED, *(f"attestation {number}" for number in range(10))],
    )
    async def test_are_not_set_up(self, gateway: RunningGateway, wrong: Wrong) -> None:
        browser = await signed_in(gateway, ADA)
        options = (await browser.post("/auth/passkeys/options")).json()["public_key"]
        answer = await browser.post("/auth/passkeys", json={"credential": wrong(Authenticator().make(options))})
        assert answer.status_code == 422
        assert await gateway.sql("SELECT 1 FROM passkeys") == []

    @pytest.mark.parametrize(
        "wrong",
        [
            *MALFORMED.values(),
            changed("authenticatorData", encoded(b"x" * 36)),
            changed("authenticatorData", encoded(b"x" * 200)),
            changed("authenticatorData", "A" * 5000),
            changed("signature", encoded(b"x")),
            changed("signature", "A" * 9000),
            changed("userHandle", "A" * 200),
            changed("userHandle", encoded(b"\xff" * 16)),
            changed("userHandle", 7),
        ],
        ids=[*MALFORMED, *(f"assertion {number}" for number in range(8))],
    )
    async def test_sign_nobody_in(self, gateway: RunningGateway, wrong: Wrong) -> None:
        authenticator = await set_up_passkey(await signed_in(gateway, ADA))
        browser = Browser(gateway)
        credential = wrong(authenticator.use(await request_options(browser)))
        answer = await browser.post("/auth/passkeys/sign-in", json={"credential": credential})
        assert answer.status_code in {401, 422}
        assert "auth_token" not in browser.cookies

    async def test_with_a_key_nobody_can_use_sign_nobody_in(self, gateway: RunningGateway) -> None:
        """Set up by a client that lies about its key: nobody else is harmed, and nothing breaks."""
        authenticator = await set_up_passkey(await signed_in(gateway, ADA))
        for key in (b"", b"\x04", b"\xa0", b"\x04" + b"x" * 64):
            await gateway.sql("UPDATE passkeys SET public_key = :key", key=key)
            assert (await sign_in_by_passkey(Browser(gateway), authenticator)).status_code == 401


class TestKeepingPasskeys:
    async def test_under_a_new_name(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, ADA)
        await set_up_passkey(browser)
        (passkey,) = (await browser.get("/auth/passkeys")).json()["items"]
        answer = await browser.patch(f"/auth/passkeys/{passkey['id']}", json={"name": " Schlüssel am Bund "})
        assert answer.json()["name"] == "Schlüssel am Bund"

    async def test_is_for_their_owner_only(self, gateway: RunningGateway) -> None:
        owner, other = await signed_in(gateway, ADA), await signed_in(gateway, "bob@example.org")
        await set_up_passkey(owner)
        (passkey,) = (await owner.get("/auth/passkeys")).json()["items"]
        assert (await other.patch(f"/auth/passkeys/{passkey['id']}", json={"name": "mine"})).status_code == 404
        assert (await other.delete(f"/auth/passkeys/{passkey['id']}")).status_code == 404
        assert (await other.get("/auth/passkeys")).json()["items"] == []

    async def test_keeps_the_only_way_in(self, database_urls: DatabaseUrls, tmp_path: Path) -> None:
        async with running_gateway(database_urls, tmp_path, auth__magic_link="no", **FAST_HASHES) as gateway:
            browser = await signed_in(gateway, ADA)
            await set_up_passkey(browser)
            await gateway.sql("DELETE FROM password_credentials")
            (passkey,) = (await browser.get("/auth/passkeys")).json()["items"]
            answer = await browser.delete(f"/auth/passkeys/{passkey['id']}")
            assert (answer.status_code, answer.json()["code"]) == (409, "last_sign_in_method")
            await set_up_passkey(browser)
            assert (await browser.delete(f"/auth/passkeys/{passkey['id']}")).status_code == 204

    async def test_keeps_no_secret(self, gateway: RunningGateway) -> None:
        await account(gateway, ADA)
        browser = Browser(gateway)
        challenge = (await request_options(browser))["challenge"]
        assert challenge not in str(await gateway.sql("SELECT * FROM tokens"))


class TestOfferingPasskeys:
    @pytest.mark.parametrize(("host", "offered"), [("localhost", True), ("127.0.0.1", False)])
    async def test_needs_a_site_with_a_name(
        self, database_urls: DatabaseUrls, tmp_path: Path, host: str, offered: bool
    ) -> None:
        url = f"http://{host}:8000"
        async with running_gateway(database_urls, tmp_path, http__public_url=url, **FAST_HASHES) as gateway:
            found = (await Browser(gateway).get("/auth/methods", headers={"Host": f"{host}:8000"})).json()
        assert ("passkey" in [way["name"] for way in found["methods"]]) is offered
        assert ("passkey" in found["second_factors"]) is offered
        assert {"totp", "backup_code"} <= set(found["second_factors"])
