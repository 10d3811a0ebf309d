"""Connecting an account, and what it is not: a sign-in."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.auth.people import FAST_HASHES, Browser, account, audited
from tests.auth.providers import LOGIN, PEER, at_provider, begin, come_back, refusals
from tests.connections.owners import CONNECT, Owner, new_owner
from tests.support.gateway import BASE_URL, RunningGateway, running_gateway
from tests.support.openid_peer import CLIENT_ID, OpenIdPeer
from tests.support.postgres import DatabaseUrls

ENDED, INVALID = "sign_in_flow_ended", "provider_answer_invalid"


async def left(gateway: RunningGateway) -> tuple[int, int, int]:
    """How many connections, sessions and users there are."""
    counted = [
        await gateway.sql(f"SELECT count(*) AS n FROM {table}") for table in ("connections", "sessions", "users")
    ]
    return counted[0][0]["n"], counted[1][0]["n"], counted[2][0]["n"]


async def answer_for(owner: Owner) -> str:
    """The address the provider sends the owner's browser back to."""
    begun = await owner.begin()
    return await at_provider(begun.json()["url"])


def refused(location: str) -> str:
    """The code in the address of the console's page."""
    assert location.startswith("/console/#/sign-in-error/"), location
    return location.rpartition("/")[2]


class TestConnecting:
    async def test_gives_the_owner_the_providers_token(
        self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer
    ) -> None:
        answer = await ada.connect(offline=True)
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/#/connections")
        (listed,) = await ada.connections()
        assert {name: listed[name] for name in ("provider", "account", "offline", "state")} == {
            "provider": PEER,
            "account": "ada@provider.test",
            "offline": True,
            "state": "active",
        }
        assert listed["scopes"] == ["openid", "email", "calendar", "offline_access"]
        assert await ada.token() == peer.data.access[-1]
        (row,) = await gateway.sql("SELECT * FROM tokens WHERE purpose = 'data_connection'")
        assert (row["user_id"], row["authority"], row["secret_hash"]) == (ada.id, PEER, None)
        assert row["payload"] == {"connection_id": listed["id"], "mandate_id": str(ada.mandate_id)}
        assert len(await audited(gateway, "connection_made")) == 1

    async def test_asks_for_its_own_scopes_at_its_own_address_with_pkce(
        self, gateway: RunningGateway, ada: Owner
    ) -> None:
        asked = parse_qs(urlsplit((await ada.begin()).json()["url"]).query)
        assert asked["scope"] == ["openid email calendar offline_access"]
        assert asked["redirect_uri"] == [f"{BASE_URL}/api/v1/connections/{PEER}/callback"]
        assert (asked["code_challenge_method"], asked["prompt"]) == (["S256"], ["consent"])
        login = parse_qs(urlsplit(await begin(Browser(gateway))).query)
        assert login["scope"] == ["openid email profile"]
        assert "prompt" not in login

    async def test_asks_google_for_a_refresh_token_in_its_own_way(
        self, database_urls: DatabaseUrls, tmp_path: Path, peer: OpenIdPeer
    ) -> None:
        client = {"google.issuer": peer.issuer, "google.client_id": CLIENT_ID, "connections.google.scopes": "openid x"}
        chosen: dict[str, Any] = {**client, **FAST_HASHES}
        async with running_gateway(database_urls, tmp_path, **chosen) as gateway:
            ada = await new_owner(gateway, "ada@example.org", await gateway.mandate("alpine"))
            asked = parse_qs(urlsplit((await ada.begin("google")).json()["url"]).query)
        assert (asked["access_type"], asked["prompt"], asked["scope"]) == (["offline"], ["consent"], ["openid x"])

    async def test_opens_no_session_and_makes_no_identity(self, gateway: RunningGateway, ada: Owner) -> None:
        before = await left(gateway)
        await ada.connect()
        assert await left(gateway) == (1, *before[1:])
        assert await gateway.sql("SELECT id FROM identities") == []

    async def test_survives_signing_out(self, gateway: RunningGateway, ada: Owner) -> None:
        await ada.connect()
        token = await ada.token()
        assert (await ada.browser.post("/auth/logout-all")).is_success
        assert (await ada.ask()).status_code == 401
        await ada.browser.log_in(ada.email)
        assert await ada.token() == token

    async def test_again_replaces_what_was_connected(
        self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer
    ) -> None:
        await ada.connect()
        peer.person = {"sub": "another", "email": "other@provider.test"}
        await ada.connect(offline=True)
        (listed,) = await ada.connections()
        assert (listed["account"], listed["offline"]) == ("other@provider.test", True)
        assert await ada.token() == peer.data.access[-1]

    async def test_is_for_configured_providers(self, ada: Owner) -> None:
        answer = await ada.begin("google")
        assert (answer.status_code, answer.json()["code"]) == (404, "connection_provider_not_found")

    async def test_is_for_members(self, gateway: RunningGateway, ada: Owner) -> None:
        root = await gateway.root()
        sysadmin = await gateway.person("root@example.org", sysadmin=True)
        await gateway.join(sysadmin, root, "sysadmin")
        async with gateway.client(sysadmin, ada.mandate_id) as client:
            answer = await client.post(f"/api/v1{CONNECT}", json={})
        assert (answer.status_code, answer.json()["code"]) == (403, "connection_needs_membership")

    async def test_takes_the_right_to_create_connections(self, gateway: RunningGateway, ada: Owner) -> None:
        viewer = await new_owner(gateway, "viewer@example.org", ada.mandate_id, "viewer")
        assert (await viewer.begin()).json()["code"] == "permission_denied"

    async def test_is_answered_503_while_the_provider_is_away(self, ada: Owner, peer: OpenIdPeer) -> None:
        peer.wrong.metadata = lambda _: {}
        answer = await ada.begin()
        assert (answer.status_code, answer.json()["code"]) == (503, "provider_unavailable")
        assert int(answer.headers["retry-after"]) > 0


Attack = Callable[[RunningGateway, Owner, str], Awaitable[str]]


async def in_another_browser(gateway: RunningGateway, _: Owner, address: str) -> str:
    return refused((await come_back(Browser(gateway), address)).headers["location"])


async def with_another_state(_: RunningGateway, owner: Owner, address: str) -> str:
    state = parse_qs(urlsplit(address).query)["state"][0]
    wrong = state[:-1] + ("A" if state[-1] != "A" else "B")
    return refused((await come_back(owner.browser, address, state=wrong)).headers["location"])


async def without_a_state(_: RunningGateway, owner: Owner, address: str) -> str:
    return refused((await come_back(owner.browser, address, state=None)).headers["location"])


async def too_late(gateway: RunningGateway, owner: Owner, address: str) -> str:
    await gateway.sql("UPDATE tokens SET expires_at = now() - interval '1 second' WHERE purpose = 'connection_flow'")
    return refused((await come_back(owner.browser, address)).headers["location"])


async def as_a_sign_in(_: RunningGateway, owner: Owner, address: str) -> str:
    login = address.replace(f"{CONNECT}/", f"/auth/{PEER}/")
    assert login != address
    return refused((await come_back(owner.browser, login)).headers["location"])


async def after_signing_out(_: RunningGateway, owner: Owner, address: str) -> str:
    assert (await owner.browser.post("/auth/logout")).is_success
    return refused((await come_back(owner.browser, address)).headers["location"])


async def after_somebody_else_signed_in(gateway: RunningGateway, owner: Owner, address: str) -> str:
    await account(gateway, "eve@example.org")
    assert (await owner.browser.log_in("eve@example.org")).status_code == 200
    return refused((await come_back(owner.browser, address)).headers["location"])


class TestAnAnswer:
    @pytest.mark.parametrize(
        "attack",
        [
            in_another_browser,
            with_another_state,
            without_a_state,
            too_late,
            as_a_sign_in,
            after_signing_out,
            after_somebody_else_signed_in,
        ],
        ids=lambda each: each.__name__,
    )
    async def test_fits_to_one_browser_one_session_and_one_flow(
        self, gateway: RunningGateway, ada: Owner, attack: Attack
    ) -> None:
        assert await attack(gateway, ada, await answer_for(ada)) == ENDED
        assert (await left(gateway))[0] == 0
        assert (ENDED, None) in await refusals(gateway)

    async def test_works_once(self, gateway: RunningGateway, ada: Owner) -> None:
        address = await answer_for(ada)
        cookies = dict(ada.browser.cookies)
        assert (await come_back(ada.browser, address)).headers["location"] == "/console/#/connections"
        ada.browser.cookies.update(cookies)
        assert refused((await come_back(ada.browser, address)).headers["location"]) == ENDED
        assert (await left(gateway))[0] == 1

    async def test_of_a_sign_in_connects_nothing(self, gateway: RunningGateway, ada: Owner) -> None:
        address = await at_provider(await begin(ada.browser, LOGIN))
        moved = address.replace(f"/auth/{PEER}/", f"{CONNECT}/")
        assert refused((await come_back(ada.browser, moved)).headers["location"]) == ENDED
        assert (await left(gateway))[0] == 0

    async def test_with_somebody_elses_code_is_refused(
        self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer
    ) -> None:
        eve = await new_owner(gateway, "eve@example.org", ada.mandate_id)
        stolen = parse_qs(urlsplit(await answer_for(eve)).query)["code"][0]
        answer = await come_back(ada.browser, await answer_for(ada), code=stolen)
        assert refused(answer.headers["location"]) == INVALID
        assert ((await left(gateway))[0], peer.data.access) == (0, [])

    async def test_of_another_issuer_is_refused(self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer) -> None:
        answer = await come_back(ada.browser, await answer_for(ada), iss="https://evil.test")
        assert refused(answer.headers["location"]) == INVALID
        assert ((await left(gateway))[0], peer.data.access) == (0, [])

    async def test_with_another_nonce_is_refused(self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer) -> None:
        peer.wrong.claims = lambda claims: {**claims, "nonce": "another"}
        answer = await come_back(ada.browser, await answer_for(ada))
        assert refused(answer.headers["location"]) == INVALID
        assert (await left(gateway))[0] == 0

    async def test_that_is_an_error_connects_nothing(self, gateway: RunningGateway, ada: Owner) -> None:
        answer = await come_back(ada.browser, await answer_for(ada), code=None, error="access_denied")
        assert refused(answer.headers["location"]) == "provider_refused"
        assert (await left(gateway))[0] == 0

    async def test_for_somebody_who_was_sent_away_meanwhile_is_given_back(
        self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer
    ) -> None:
        address = await answer_for(ada)
        await gateway.sql("UPDATE memberships SET enabled = false WHERE id = :id", id=ada.membership_id)
        assert refused((await come_back(ada.browser, address)).headers["location"]) == "connection_suspended"
        assert (await left(gateway))[0] == 0
        assert [token.partition("-")[0] for token in peer.data.revoked] == ["refresh"]

    async def test_that_is_refused_ends_no_other_connection_of_the_account(
        self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer
    ) -> None:
        await ada.connect()
        there = await ada.in_mandate(await gateway.mandate("baltic"))
        address = await answer_for(there)
        await gateway.sql("UPDATE memberships SET enabled = false WHERE id = :id", id=there.membership_id)
        assert refused((await come_back(there.browser, address)).headers["location"]) == "connection_suspended"
        assert peer.data.revoked == []
        assert await ada.token() == peer.data.access[0]
