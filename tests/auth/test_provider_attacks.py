"""Hostile providers, hostile networks, hostile browsers: what they try, what it is called, and that nothing is left."""

from collections.abc import AsyncIterator, Callable
import json
from pathlib import Path
import time
from typing import Any

from joserfc.jwk import OctKey, RSAKey
import pytest
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from tests.auth.people import FAST_HASHES, Browser
from tests.auth.providers import (
    LOGIN,
    NOTHING_LEFT,
    PAGE,
    PEER,
    at_provider,
    begin,
    come_back,
    refusals,
    rows,
    settings_of,
    sign_in,
)
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.openid_peer import (
    CLIENT_ID,
    CLIENT_SECRET,
    Json,
    Misbehaviour,
    OpenIdPeer,
    encoded,
    openid_peer,
    signed,
)
from tests.support.postgres import DatabaseUrls

INVALID, UNAVAILABLE, ENDED = "provider_answer_invalid", "provider_unavailable", "sign_in_flow_ended"
STRANGER = RSAKey.generate_key(2048, {"kid": "first"})
SHARED = b"known to everybody, and quite long"
SLOW = {"oidc.peer.timeout": "300ms"}


@pytest.fixture
async def peer() -> AsyncIterator[OpenIdPeer]:
    async with openid_peer() as running:
        running.person = {"sub": "mallory", "email": "mallory@example.org", "email_verified": True}
        yield running


@pytest.fixture
async def gateway(database_urls: DatabaseUrls, tmp_path: Path, peer: OpenIdPeer) -> AsyncIterator[RunningGateway]:
    chosen = settings_of(peer, **SLOW, **{"rate_limits.login_per_address": "10000/minute"})
    async with running_gateway(database_urls, tmp_path, **chosen, **FAST_HASHES) as running:
        yield running


def claims(**changed: object) -> Misbehaviour:
    """An ID token with other claims, honestly signed; None leaves one out."""

    def change(honest: Json) -> Json:
        return {name: value for name, value in {**honest, **changed}.items() if value is not None}

    return Misbehaviour(claims=change)


def header(**changed: object) -> Misbehaviour:
    """An ID token with another header, honestly signed."""
    return Misbehaviour(header=lambda honest: {n: v for n, v in {**honest, **changed}.items() if v is not None})


def signed_by(sign: Callable[[OpenIdPeer, Json, Json], str]) -> Misbehaviour:
    return Misbehaviour(sign=sign)


def answering(answer: Callable[[Json], Response]) -> Misbehaviour:
    """Another answer of the token endpoint."""
    return Misbehaviour(token_answer=answer)


def without(name: str) -> Callable[[Json], Response]:
    return lambda honest: JSONResponse({key: value for key, value in honest.items() if key != name})


def unsigned(_: OpenIdPeer, head: Json, told: Json) -> str:
    return ".".join(encoded(json.dumps(part).encode()) for part in ({**head, "alg": "none"}, told)) + "."


def by_public_key(peer: OpenIdPeer, head: Json, told: Json) -> str:
    return signed({**head, "alg": "HS256"}, told, peer.key.as_pem(private=False))


def by_client_secret(_: OpenIdPeer, head: Json, told: Json) -> str:
    return signed({**head, "alg": "HS256"}, told, CLIENT_SECRET.encode())


def by_a_stranger(_: OpenIdPeer, head: Json, told: Json) -> str:
    return signed(head, told, STRANGER)


def naming_its_key(_: OpenIdPeer, head: Json, told: Json) -> str:
    return signed({**head, "jku": "http://127.0.0.1:1/jwks"}, told, STRANGER)


def bringing_its_key(_: OpenIdPeer, head: Json, told: Json) -> str:
    return signed({**head, "jwk": STRANGER.as_dict(private=False)}, told, STRANGER)


def deeply_nested(peer: OpenIdPeer, head: Json, told: Json) -> str:
    return signed(head, json.dumps(told)[:-1] + ', "x": ' + "[" * 5000 + "]" * 5000 + "}", peer.key)


NOW = int(time.time())
ID_TOKENS: dict[str, tuple[Misbehaviour, str]] = {
    "another iss": (claims(iss="https://evil.test"), "iss"),
    "iss with a slash more": (Misbehaviour(claims=lambda honest: {**honest, "iss": honest["iss"] + "/"}), "iss"),
    "no iss": (claims(iss=None), "id_token: MissingClaimError iss"),
    "another aud": (claims(aud="somebody-else"), "id_token: InvalidClaimError aud"),
    "an aud among others": (claims(aud=[CLIENT_ID, "somebody-else"], azp=CLIENT_ID), "aud"),
    "no aud": (claims(aud=None), "id_token: MissingClaimError aud"),
    "another azp": (claims(azp="somebody-else"), "id_token: InvalidClaimError azp"),
    "another nonce": (claims(nonce="of another flow"), "id_token: InvalidClaimError nonce"),
    "no nonce": (claims(nonce=None), "id_token: MissingClaimError nonce"),
    "expired": (claims(exp=NOW - 3600), "id_token: ExpiredTokenError exp"),
    "no exp": (claims(exp=None), "id_token: MissingClaimError exp"),
    "exp not a number": (claims(exp="tomorrow"), "id_token: InvalidClaimError exp"),
    "exp not finite": (claims(exp=float("nan")), "id_token: InvalidClaimError exp"),
    "issued in the future": (claims(iat=NOW + 36000), "id_token: InvalidClaimError iat"),
    "issued long before": (claims(iat=NOW - 36000), "iat"),
    "no sub": (claims(sub=None), "id_token: MissingClaimError sub"),
    "an empty sub": (claims(sub=""), "id_token: InvalidClaimError sub"),
    "a sub that no row takes": (claims(sub="ada\0"), "sub"),
    "a sub without end": (claims(sub="a" * 300), "sub"),
    "not of this access token": (claims(at_hash="AAAAAAAAAAAAAAAAAAAAAA"), "id_token: InvalidClaimError at_hash"),
    "alg none": (signed_by(unsigned), "id_token: UnsupportedAlgorithmError"),
    "HS256 with the public key": (signed_by(by_public_key), "id_token: UnsupportedAlgorithmError"),
    "HS256 with the client's secret": (signed_by(by_client_secret), "id_token: UnsupportedAlgorithmError"),
    "another key under the same kid": (signed_by(by_a_stranger), "id_token: BadSignatureError"),
    "a key of its own, named in the header": (signed_by(naming_its_key), "id_token: BadSignatureError"),
    "a key of its own in the header": (signed_by(bringing_its_key), "id_token: ExceededSizeError"),
    "an unknown kid": (header(kid="unheard of"), "id_token: InvalidKeyIdError"),
    "an unknown critical header": (header(crit=["exp"], exp=NOW + 60), "id_token: UnsupportedHeaderError"),
    "nested beyond any reader": (signed_by(deeply_nested), "id_token: RecursionError"),
    "not a token": (signed_by(lambda *_: "a.b.c"), "id_token: DecodeError"),
    "a token too long": (signed_by(lambda *_: "a" * 20_000), "no id_token"),
}
BIG = "a" * 300_000
TOKEN_ANSWERS: dict[str, tuple[Misbehaviour, str, str]] = {
    "no id_token": (answering(without("id_token")), INVALID, "no id_token"),
    "an id_token that is none": (
        answering(lambda honest: JSONResponse({**honest, "id_token": 1})),
        INVALID,
        "no id_token",
    ),
    "an error": (answering(lambda _: JSONResponse({"error": "invalid_grant"}, 400)), INVALID, "code"),
    "no JSON": (answering(lambda _: PlainTextResponse("hello")), UNAVAILABLE, "token endpoint"),
    "JSON that is no object": (answering(lambda _: JSONResponse([1])), UNAVAILABLE, "token endpoint"),
    "too long": (answering(lambda honest: JSONResponse({**honest, "x": BIG})), UNAVAILABLE, "token endpoint"),
    "compressed": (
        answering(lambda honest: JSONResponse(honest, headers={"content-encoding": "gzip"})),
        UNAVAILABLE,
        "token endpoint",
    ),
    "a redirect": (
        answering(lambda _: RedirectResponse("http://127.0.0.1:1/token", 307)),
        UNAVAILABLE,
        "token endpoint",
    ),
    "a redirect with a token": (
        answering(lambda honest: JSONResponse(honest, 302, {"location": "/elsewhere"})),
        UNAVAILABLE,
        "token endpoint",
    ),
    "a failure": (answering(lambda honest: JSONResponse(honest, 500)), UNAVAILABLE, "token endpoint"),
    "after too long": (Misbehaviour(delay=1.0), UNAVAILABLE, "token endpoint"),
}


async def outcome(gateway: RunningGateway, peer: OpenIdPeer, wrong: Misbehaviour) -> tuple[str, str | None]:
    """Where the person lands, and the reason audited last."""
    browser = Browser(gateway)
    address = await begin(browser)
    peer.wrong = wrong
    answer = await come_back(browser, await at_provider(address))
    assert not browser.cookies, "no session, and the flow is over"
    (*_, (_, reason)) = await refusals(gateway)
    await gateway.sql("DELETE FROM audit_subjects")
    peer.wrong = Misbehaviour()
    return answer.headers["location"].removeprefix("/console/#/sign-in-error/"), reason


class TestAHostileProvider:
    async def test_gets_nobody_in_with_a_forged_or_foreign_id_token(
        self, gateway: RunningGateway, peer: OpenIdPeer
    ) -> None:
        outcomes = {name: await outcome(gateway, peer, wrong) for name, (wrong, _) in ID_TOKENS.items()}
        assert outcomes == {name: (INVALID, reason) for name, (_, reason) in ID_TOKENS.items()}
        assert await rows(gateway) == NOTHING_LEFT

    async def test_gets_nobody_in_with_an_answer_that_is_none(self, gateway: RunningGateway, peer: OpenIdPeer) -> None:
        outcomes = {name: await outcome(gateway, peer, wrong) for name, (wrong, _, _) in TOKEN_ANSWERS.items()}
        assert outcomes == {name: (code, reason) for name, (_, code, reason) in TOKEN_ANSWERS.items()}
        assert await rows(gateway) == NOTHING_LEFT

    @pytest.mark.parametrize(
        "answer",
        [{"iss": "https://evil.test"}, {"iss": None}, {"iss": ""}],
        ids=["another", "none", "empty"],
    )
    async def test_is_believed_nothing_under_another_issuer(
        self, gateway: RunningGateway, browser: Browser, peer: OpenIdPeer, answer: dict[str, Any]
    ) -> None:
        came = await come_back(browser, await at_provider(await begin(browser)), **answer)
        assert came.headers["location"] == f"/console/#/sign-in-error/{INVALID}"
        assert "token" not in peer.asked, "the code went nowhere"
        assert await rows(gateway) == NOTHING_LEFT

    async def test_may_say_no(self, gateway: RunningGateway, browser: Browser) -> None:
        answer = await come_back(
            browser, await at_provider(await begin(browser)), code=None, error="<script>access_denied"
        )
        assert answer.headers["location"] == "/console/#/sign-in-error/provider_refused"
        assert await rows(gateway) == NOTHING_LEFT

    async def test_cannot_make_a_symmetric_key_count(self, gateway: RunningGateway, peer: OpenIdPeer) -> None:
        known = OctKey.import_key(SHARED, {"kid": "first", "alg": "RS256"})
        wrong = Misbehaviour(
            jwks=lambda _: {"keys": [known.as_dict()]},
            sign=lambda _, head, told: signed({**head, "alg": "HS256"}, told, SHARED),
        )
        assert (await outcome(gateway, peer, wrong))[0] == UNAVAILABLE
        assert await rows(gateway) == NOTHING_LEFT


class TestWhatAProviderPublishes:
    @pytest.mark.parametrize(
        "change",
        [
            {"issuer": "https://evil.test"},
            {"token_endpoint": "http://evil.test/token"},
            {"authorization_endpoint": "javascript:alert(1)"},
            {"jwks_uri": None},
            {"x": BIG},
        ],
        ids=["another issuer", "a token endpoint in the clear", "no endpoint for a browser", "no keys", "too much"],
    )
    async def test_must_be_its_own_and_private(
        self, gateway: RunningGateway, browser: Browser, peer: OpenIdPeer, change: Json
    ) -> None:
        peer.wrong = Misbehaviour(metadata=lambda honest: {**honest, **change})
        page = await browser.get(LOGIN, headers=PAGE)
        assert page.headers["location"] == f"/console/#/sign-in-error/{UNAVAILABLE}"

    async def test_is_asked_for_once(self, gateway: RunningGateway, peer: OpenIdPeer) -> None:
        for _ in range(3):
            await sign_in(Browser(gateway))
        assert (peer.asked.count("metadata"), peer.asked.count("jwks")) == (1, 1)

    async def test_may_change_its_keys(
        self, gateway: RunningGateway, peer: OpenIdPeer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("modules.auth.identity_providers.documents.RELOAD_SECONDS", 0.0)
        await sign_in(Browser(gateway))
        peer.rotate("second")
        answer = await sign_in(Browser(gateway))
        assert answer.headers["location"] == "/console/#/signed-in"
        assert peer.asked.count("jwks") == 2

    async def test_is_not_asked_again_and_again_for_invented_keys(
        self, gateway: RunningGateway, peer: OpenIdPeer
    ) -> None:
        for _ in range(5):
            assert (await outcome(gateway, peer, header(kid="invented")))[0] == INVALID
        assert peer.asked.count("jwks") == 1


class TestAProviderThatIsAway:
    async def test_sends_a_person_to_a_page_and_a_program_a_problem(
        self, gateway: RunningGateway, browser: Browser, peer: OpenIdPeer
    ) -> None:
        peer.wrong = Misbehaviour(delay=1.0)
        page = await browser.get(LOGIN, headers=PAGE)
        assert (page.status_code, page.headers["location"]) == (303, f"/console/#/sign-in-error/{UNAVAILABLE}")
        problem = await browser.get(LOGIN)
        assert (problem.status_code, problem.json()["code"], "retry-after" in problem.headers) == (
            503,
            UNAVAILABLE,
            True,
        )

    async def test_is_waited_for_by_one(self, gateway: RunningGateway, browser: Browser, peer: OpenIdPeer) -> None:
        peer.wrong = Misbehaviour(delay=1.0)
        for _ in range(4):
            await browser.get(LOGIN)
        assert peer.asked.count("metadata") == 1

    async def test_leaves_who_is_underway_a_clear_page(
        self, gateway: RunningGateway, browser: Browser, peer: OpenIdPeer
    ) -> None:
        address = await at_provider(await begin(browser))
        peer.wrong = Misbehaviour(delay=1.0)
        answer = await come_back(browser, address)
        assert answer.headers["location"] == f"/console/#/sign-in-error/{UNAVAILABLE}"
        assert await rows(gateway) == NOTHING_LEFT


class TestAHostileBrowser:
    async def came(self, browser: Browser, address: str, **changed: str | None) -> str:
        answer = await come_back(browser, address, **changed)
        return answer.headers["location"].removeprefix("/console/#/sign-in-error/")

    async def test_cannot_come_back_twice(self, gateway: RunningGateway, browser: Browser, peer: OpenIdPeer) -> None:
        peer.wrong = Misbehaviour(codes_last=True)
        address = await at_provider(await begin(browser))
        kept = {name: value for name, value in browser.cookies.items() if name.startswith("flow_")}
        await come_back(browser, address)
        thief = Browser(gateway)
        thief.cookies.update(kept)
        assert await self.came(thief, address) == ENDED
        assert (await rows(gateway))["sessions"] == 1

    async def test_cannot_use_the_address_of_another(self, gateway: RunningGateway, browser: Browser) -> None:
        address = await at_provider(await begin(browser))
        assert await self.came(Browser(gateway), address) == ENDED
        assert await rows(gateway) == NOTHING_LEFT

    async def test_cannot_use_the_cookie_of_another_flow(self, gateway: RunningGateway, browser: Browser) -> None:
        address = await at_provider(await begin(browser))
        other = Browser(gateway)
        await begin(other)
        (name,), (value,) = browser.cookies.keys(), other.cookies.values()
        other.cookies.set(name, value, domain="127.0.0.1")
        assert await self.came(other, address) == ENDED
        assert await rows(gateway) == NOTHING_LEFT

    @pytest.mark.parametrize("state", [None, "", "x", "0" * 75, "\u0661" * 75])
    async def test_cannot_invent_a_state(self, gateway: RunningGateway, browser: Browser, state: str | None) -> None:
        address = await at_provider(await begin(browser))
        assert await self.came(browser, address, state=state) == ENDED
        assert await rows(gateway) == NOTHING_LEFT

    async def test_cannot_change_a_state(self, gateway: RunningGateway, browser: Browser, peer: OpenIdPeer) -> None:
        address = await at_provider(await begin(browser))
        honest = address.split("state=")[1].split("&")[0]
        changed = honest[:-2] + ("AA" if honest[-2:] != "AA" else "BB")
        assert await self.came(browser, address, state=changed) == ENDED
        assert peer.asked.count("token") == 0

    async def test_cannot_slip_in_the_code_of_another_person(
        self, gateway: RunningGateway, browser: Browser, peer: OpenIdPeer
    ) -> None:
        """RFC 9700, section 4.5: the verifier of this flow does not fit to a code of another."""
        stolen = (await at_provider(await begin(Browser(gateway)))).split("code=")[1].split("&")[0]
        address = await at_provider(await begin(browser))
        assert await self.came(browser, address, code=stolen) == INVALID
        assert await rows(gateway) == NOTHING_LEFT

    async def test_cannot_come_back_after_ten_minutes(self, gateway: RunningGateway, browser: Browser) -> None:
        address = await at_provider(await begin(browser))
        await gateway.sql("UPDATE tokens SET expires_at = now() - interval '1 second' WHERE purpose = 'flow'")
        assert await self.came(browser, address) == ENDED

    async def test_is_audited(self, gateway: RunningGateway, browser: Browser) -> None:
        await self.came(browser, await at_provider(await begin(browser)), state="0" * 75)
        assert await refusals(gateway) == [(ENDED, None)]


class TestAnotherProviderOfTheSameInstallation:
    async def test_cannot_answer_for_this_one(
        self, database_urls: DatabaseUrls, tmp_path: Path, peer: OpenIdPeer
    ) -> None:
        """RFC 9700, section 4.4: a mix-up."""
        async with openid_peer() as evil:
            chosen = settings_of(
                peer,
                **{
                    "oidc.evil.issuer": evil.issuer,
                    "oidc.evil.client_id": CLIENT_ID,
                    "oidc.evil.client_secret": CLIENT_SECRET,
                },
            )
            async with running_gateway(database_urls, tmp_path, **chosen, **FAST_HASHES) as gateway:
                browser = Browser(gateway)
                address = await at_provider(await begin(browser))
                assert PEER in address
                answer = await come_back(browser, address.replace("oidc:peer", "oidc:evil"))
                assert answer.headers["location"] == f"/console/#/sign-in-error/{ENDED}"
                assert evil.asked == []
                assert await rows(gateway) == NOTHING_LEFT
