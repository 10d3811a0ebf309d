"""Which browser requests are taken for one of our own pages' (identity: cookies and CSRF)."""

import pytest

from gateway.http.csrf import CsrfRule
from gateway.http.edge_policy import EdgePolicy
from tests.gateway.http.edge_app import COOKIE, OWN_PAGE, PUBLIC_URL, SPA, calling, edge_app, run_raw, scope_of

OURS = frozenset({PUBLIC_URL.encode(), SPA.encode()})
COOKIES = (
    "__Host-auth_token=a", "__Host-refresh_token=a", "auth_token=a", "refresh_token=a", "__Host-device=a", "device=a",
    "__Host-flow=a", "flow=a",
    "theme=dark; auth_token=a", "theme=dark;auth_token=a", "theme=dark;  auth_token =a",
)  # fmt: skip


def refuses(
    method: str = "POST",
    *,
    single_user: bool = False,
    websocket: bool = False,
    path: str = "/notes",
    headers: dict[str, str] | None = None,
    **more: str,
) -> bool:
    raw = {name.replace("_", "-").encode(): value.encode() for name, value in {**(headers or {}), **more}.items()}
    return CsrfRule(OURS, single_user=single_user).refuses(method, path, raw, websocket=websocket)


class TestARequestWithOurCookie:
    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"])
    def test_that_changes_something_is_refused_without_proof(self, method: str) -> None:
        assert refuses(method, cookie="auth_token=a")

    @pytest.mark.parametrize("cookie", COOKIES)
    def test_is_recognised_by_every_cookie_of_ours(self, cookie: str) -> None:
        assert refuses(cookie=cookie)

    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
    def test_that_only_reads_passes(self, method: str) -> None:
        assert not refuses(method, cookie="auth_token=a", sec_fetch_site="cross-site")

    @pytest.mark.parametrize("site", ["same-origin", "none"])
    @pytest.mark.parametrize("scripted", ["x_mandate_id", "x_requested_with"])
    def test_passes_from_our_own_page_with_a_scripted_header(self, site: str, scripted: str) -> None:
        assert not refuses(cookie="auth_token=a", sec_fetch_site=site, headers={scripted: "x"})

    @pytest.mark.parametrize("origin", [PUBLIC_URL, SPA])
    def test_passes_from_an_allowed_origin_with_a_scripted_header(self, origin: str) -> None:
        assert not refuses(cookie="auth_token=a", sec_fetch_site="cross-site", origin=origin, x_requested_with="x")

    @pytest.mark.parametrize("site", ["cross-site", "same-site", "Same-Origin", "same-origin, none", ""])
    def test_is_refused_from_any_other_site(self, site: str) -> None:
        assert refuses(cookie="auth_token=a", sec_fetch_site=site, x_requested_with="x")

    @pytest.mark.parametrize(
        "origin",
        ["null", "https://evil.example", "https://gateway.example.evil.example", "http://gateway.example",
         "https://gateway.example:8443", "https://work.gateway.example", "https://gateway.example/", ""],
    )  # fmt: skip
    def test_is_refused_from_any_other_origin(self, origin: str) -> None:
        assert refuses(cookie="auth_token=a", origin=origin, x_requested_with="x")

    def test_is_refused_from_our_own_page_without_a_scripted_header(self) -> None:
        assert refuses(cookie="auth_token=a", sec_fetch_site="same-origin", origin=PUBLIC_URL)

    def test_is_refused_even_with_a_bearer_token_beside_it(self) -> None:
        assert refuses(cookie="auth_token=a", authorization="Bearer x")


class TestARequestWithoutOurCookie:
    @pytest.mark.parametrize(
        "cookie", ["", "theme=dark", "my_auth_token=a", "x=auth_token=a", "auth_tokens=a", "devices=1"]
    )
    def test_passes_whatever_else_it_carries(self, cookie: str) -> None:
        assert not refuses(cookie=cookie, sec_fetch_site="cross-site")

    @pytest.mark.parametrize("site", ["cross-site", "same-site", "nonsense"])
    def test_reaches_our_api_from_no_other_site(self, site: str) -> None:
        assert refuses(path="/api/v1/auth/logout", sec_fetch_site=site, origin="https://evil.example")
        assert not refuses("GET", path="/api/v1/auth/methods", sec_fetch_site=site)

    @pytest.mark.parametrize("told", [{}, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}])
    def test_reaches_our_api_from_our_pages_and_from_programs(self, told: dict[str, str]) -> None:
        assert not refuses(path="/api/v1/auth/login", headers=told)

    def test_reaches_our_api_from_an_allowed_origin(self) -> None:
        assert not refuses(path="/api/v1/auth/login", sec_fetch_site="cross-site", origin=SPA)


class TestAWebSocketHandshake:
    def test_with_our_cookie_is_refused_from_another_origin(self) -> None:
        assert refuses("GET", websocket=True, cookie="auth_token=a", origin="https://evil.example")

    def test_with_our_cookie_passes_from_our_own_page_without_a_scripted_header(self) -> None:
        assert not refuses("GET", websocket=True, cookie="auth_token=a", origin=PUBLIC_URL)


class TestSingleUserMode:
    def test_refuses_a_changing_request_without_any_cookie(self) -> None:
        assert refuses(single_user=True)

    def test_refuses_a_reading_request_from_another_site(self) -> None:
        assert refuses(
            "GET", single_user=True, sec_fetch_site="cross-site", sec_fetch_mode="no-cors", sec_fetch_dest="image"
        )

    def test_refuses_a_page_that_frames_ours(self) -> None:
        assert refuses(
            "GET", single_user=True, sec_fetch_site="cross-site", sec_fetch_mode="navigate", sec_fetch_dest="iframe"
        )

    def test_lets_a_person_open_a_page_from_anywhere(self) -> None:
        assert not refuses(
            "GET", single_user=True, sec_fetch_site="cross-site", sec_fetch_mode="navigate", sec_fetch_dest="document"
        )

    def test_refuses_a_form_posted_by_a_navigation(self) -> None:
        assert refuses(
            single_user=True, sec_fetch_site="cross-site", sec_fetch_mode="navigate", sec_fetch_dest="document"
        )

    def test_lets_our_own_page_load_what_it_needs_without_a_scripted_header(self) -> None:
        assert not refuses("GET", single_user=True, sec_fetch_site="same-origin")

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_takes_from_a_program_the_header_no_page_elsewhere_can_send(self, method: str) -> None:
        assert not refuses(method, single_user=True, x_requested_with="backup")
        assert refuses(method, single_user=True)

    @pytest.mark.parametrize("method", ["GET", "POST"])
    @pytest.mark.parametrize("said", [{"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}])
    def test_takes_the_header_for_nothing_beside_the_word_of_a_browser(self, method: str, said: dict[str, str]) -> None:
        assert refuses(method, single_user=True, headers=said, x_requested_with="evil")

    async def test_leaves_health_to_whoever_asks(self) -> None:
        async with calling(edge_app(EdgePolicy(PUBLIC_URL, single_user=True))) as client:
            assert (
                await client.get("/health/live")
            ).status_code == 404  # reached the routes, of which this app has none


class TestAtTheEdge:
    @pytest.mark.parametrize("path", ["/api/v1/write", "/host/write"])
    async def test_a_forged_post_is_answered_403_csrf(self, path: str) -> None:
        async with calling(edge_app(EdgePolicy(PUBLIC_URL, own_prefixes=("/api/v1",)))) as client:
            answer = await client.post(path, json={"text": "x"}, headers=COOKIE)
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf")

    async def test_is_reported_for_the_audit(self) -> None:
        heard: list[str] = []
        app = edge_app()
        app.user_middleware[0].kwargs["on_refusal"] = lambda refusal, scope: heard.append(
            f"{refusal.code} {scope['path']}"
        )
        async with calling(app) as client:
            await client.post("/api/v1/write", json={"text": "x"}, headers=COOKIE)
        assert heard == ["csrf /api/v1/write"]

    async def test_a_post_of_our_own_page_reaches_the_route(self) -> None:
        async with calling(edge_app()) as client:
            answer = await client.post("/api/v1/write", json={"text": "x"}, headers=COOKIE | OWN_PAGE)
        assert answer.json() == {"text": "x"}

    async def test_cookies_in_several_header_lines_are_all_seen(self) -> None:
        headers = [(b"cookie", b"theme=dark"), (b"cookie", b"auth_token=a")]
        sent = await run_raw(edge_app(), scope_of("/api/v1/plain", method="POST", headers=headers))
        assert sent[0]["status"] == 403

    async def test_a_foreign_websocket_is_closed_before_it_opens(self) -> None:
        headers = [(b"cookie", b"auth_token=a"), (b"origin", b"https://evil.example")]
        sent = await run_raw(edge_app(), scope_of("/api/v1/ws", kind="websocket", headers=headers))
        assert [message["type"] for message in sent] == ["websocket.close"]

    async def test_a_foreign_websocket_is_told_why_where_the_server_can_say_it(self) -> None:
        headers = [(b"cookie", b"auth_token=a"), (b"origin", b"https://evil.example")]
        scope = scope_of("/api/v1/ws", kind="websocket", headers=headers)
        scope["extensions"] = {"websocket.http.response": {}}
        sent = await run_raw(edge_app(), scope)
        assert (sent[0]["type"], sent[0]["status"]) == ("websocket.http.response.start", 403)
