"""What every request passes before any route, and what every answer gets."""

from asyncio import CancelledError
from collections.abc import Callable
import re

import pytest
from starlette.types import Message
from structlog.contextvars import get_contextvars
from structlog.testing import capture_logs

from gateway.http.edge_policy import FORM, EdgePolicy
from gateway.http.middleware import AnswerCutOff
from modules.shared.logging import AnsweredRequest
from tests.gateway.http.edge_app import (
    COOKIE,
    OWN_PAGE,
    PUBLIC_URL,
    SPA,
    calling,
    edge_app,
    metrics_of,
    run_raw,
    scope_of,
)

Answered = Callable[[], list[AnsweredRequest]]

HOSTED = EdgePolicy(PUBLIC_URL, own_prefixes=("/api/v1",), allowed_origins=(SPA,))


class TestRequestId:
    async def test_is_taken_from_the_caller_and_given_back(self) -> None:
        async with calling(edge_app()) as client:
            answer = await client.get("/api/v1/read", headers={"X-Request-Id": "trace-1.a_B"})
        assert (answer.headers["x-request-id"], answer.json()["request_id"]) == ("trace-1.a_B", "trace-1.a_B")

    @pytest.mark.parametrize("given", ["a" * 65, "", "with space", "semi;colon", "line\tbreak", "ü"])
    async def test_is_replaced_when_it_is_not_sane(self, given: str) -> None:
        async with calling(edge_app()) as client:
            answer = await client.get("/api/v1/read", headers=[(b"X-Request-Id", given.encode("latin-1"))])
        assert re.fullmatch("[0-9a-f]{24}", answer.headers["x-request-id"])

    async def test_differs_between_requests(self) -> None:
        async with calling(edge_app()) as client:
            ids = {(await client.get("/api/v1/read")).headers["x-request-id"] for _ in range(20)}
        assert len(ids) == 20

    async def test_is_forgotten_by_the_log_context_afterwards(self) -> None:
        async with calling(edge_app()) as client:
            await client.get("/api/v1/read")
        assert "request_id" not in get_contextvars()


class TestHost:
    @pytest.mark.parametrize("host", ["gateway.example", "GATEWAY.example", "gateway.example:443"])
    async def test_of_the_public_url_is_served(self, host: str) -> None:
        async with calling(edge_app()) as client:
            assert (await client.get("/api/v1/read", headers={"Host": host})).status_code == 200

    @pytest.mark.parametrize(
        "host",
        [
            "evil.example",
            "gateway.example:8443",
            "gateway.example.evil.example",
            "evil.example#gateway.example",
            "[::1]",
            "",
        ],
    )
    async def test_of_another_name_is_421(self, host: str) -> None:
        async with calling(edge_app()) as client:
            answer = await client.get("/api/v1/read", headers={"Host": host})
        assert (answer.status_code, answer.json()["code"]) == (421, "misdirected_request")

    async def test_missing_altogether_is_421(self) -> None:
        scope = scope_of("/api/v1/read")
        scope["headers"] = []
        assert (await run_raw(edge_app(), scope))[0]["status"] == 421

    async def test_allowed_without_a_port_is_served_on_any(self) -> None:
        policy = EdgePolicy(PUBLIC_URL, allowed_hosts=("gateway.internal", "[::1]"))
        async with calling(edge_app(policy)) as client:
            for host in ("gateway.internal", "gateway.internal:8000", "[::1]:8000"):
                assert (await client.get("/api/v1/read", headers={"Host": host})).status_code == 200

    async def test_of_a_public_url_with_a_port_needs_the_port(self) -> None:
        async with calling(edge_app(EdgePolicy("http://127.0.0.1:8000"))) as client:
            statuses = [
                (await client.get("/api/v1/read", headers={"Host": h})).status_code
                for h in ("127.0.0.1:8000", "127.0.0.1")
            ]
        assert statuses == [200, 421]

    async def test_is_not_asked_by_health_probes(self) -> None:
        async with calling(edge_app()) as client:
            assert (await client.get("/health/live", headers={"Host": "10.0.0.3:8000"})).status_code == 404


class TestHeadersThatStandTwice:
    @pytest.mark.parametrize(
        "name",
        [
            "x-mandate-id",
            "x-instance-id",
            "authorization",
            "content-type",
            "origin",
            "sec-fetch-site",
            "if-match",
            "host",
        ],
    )
    async def test_are_400(self, name: str) -> None:
        headers = [(name.encode(), b"gateway.example"), (name.encode(), b"gateway.example")]
        sent = await run_raw(edge_app(), scope_of("/api/v1/read", headers=headers))
        assert sent[0]["status"] == 400

    async def test_are_named_in_the_answer(self) -> None:
        headers = [(b"x-mandate-id", b"a"), (b"x-mandate-id", b"b")]
        sent = await run_raw(edge_app(), scope_of("/api/v1/read", headers=headers))
        assert b'"header":"x-mandate-id"' in sent[1]["body"]

    async def test_pass_when_they_are_lists_by_nature(self) -> None:
        headers = [(b"accept", b"a/b"), (b"accept", b"c/d")]
        assert (await run_raw(edge_app(), scope_of("/api/v1/read", headers=headers)))[0]["status"] == 200


class TestGarbage:
    @pytest.mark.parametrize("path", ["/api/v1/re\0ad", "/api/v1/items/\0"])
    async def test_nul_in_a_path_is_400(self, path: str) -> None:
        assert (await run_raw(edge_app(), scope_of(path)))[0]["status"] == 400

    async def test_nul_in_a_query_is_400(self) -> None:
        async with calling(edge_app()) as client:
            assert (await client.get("/api/v1/read?q=a%00b")).status_code == 400

    async def test_half_a_surrogate_in_a_query_is_no_server_error(self) -> None:
        async with calling(edge_app()) as client:
            assert (await client.get("/api/v1/read?q=%ED%A0%80")).status_code == 200

    @pytest.mark.parametrize("length", [b"-1", b"1e3", b" 5", b"9" * 30, b"", b"\xb2"])
    async def test_an_unreadable_content_length_is_400(self, length: bytes) -> None:
        sent = await run_raw(
            edge_app(), scope_of("/api/v1/plain", method="POST", headers=[(b"content-length", length)])
        )
        assert sent[0]["status"] == 400

    @pytest.mark.parametrize(
        "name", [b"cookie", b"authorization", b"x-forwarded-for", b"accept-language", b"x-mandate-id", b"origin"]
    )
    @pytest.mark.parametrize("value", [b"", b"\xff\xfe", b"=;=;;", b"," * 5000, b"%00", b"q=NaN;q=1e999"])
    async def test_in_any_header_is_no_server_error(self, name: bytes, value: bytes) -> None:
        sent = await run_raw(edge_app(), scope_of("/api/v1/nowhere", headers=[(name, value)]))
        assert sent[0]["status"] == 404


class TestBodySize:
    async def test_announced_too_large_is_413_and_not_read(self) -> None:
        scope = scope_of(
            "/api/v1/plain",
            method="POST",
            headers=[(b"content-length", b"1048577"), (b"content-type", b"application/json")],
        )
        sent = await run_raw(edge_app(), scope)
        assert sent[0]["status"] == 413

    @pytest.mark.parametrize("path", ["/api/v1/plain", "/api/v1/write"])
    async def test_growing_too_large_in_chunks_is_413(self, path: str) -> None:
        chunk: Message = {"type": "http.request", "body": b"x" * 600_000, "more_body": True}
        headers = [(b"transfer-encoding", b"chunked"), (b"content-type", b"application/json")]
        sent = await run_raw(edge_app(), scope_of(path, method="POST", headers=headers), chunk, chunk)
        assert (sent[0]["status"], b"payload_too_large" in sent[1]["body"]) == (413, True)

    async def test_413_asks_to_close_the_connection(self) -> None:
        scope = scope_of("/api/v1/plain", method="POST", headers=[(b"content-length", b"1048577")])
        assert (b"connection", b"close") in (await run_raw(edge_app(), scope))[0]["headers"]

    async def test_at_the_limit_passes(self) -> None:
        async with calling(edge_app(EdgePolicy(PUBLIC_URL, max_body_bytes=10))) as client:
            answer = await client.post(
                "/api/v1/plain", content=b"0123456789", headers={"Content-Type": "application/json"}
            )
        assert answer.json() == {"length": 10}

    async def test_counts_on_host_routes_too(self) -> None:
        async with calling(edge_app(EdgePolicy(PUBLIC_URL, own_prefixes=("/api/v1",), max_body_bytes=10))) as client:
            assert (await client.post("/host/plain", content=b"01234567890")).status_code == 413


class TestBodyType:
    @pytest.mark.parametrize("given", ["application/json", "Application/JSON; charset=utf-8"])
    async def test_json_passes(self, given: str) -> None:
        async with calling(edge_app()) as client:
            answer = await client.post("/api/v1/write", content=b'{"text": "x"}', headers={"Content-Type": given})
        assert answer.status_code == 200

    @pytest.mark.parametrize(
        "given",
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "",
         "text/plain; application/json", "application/json-patch+json", "application/jsonx"],
    )  # fmt: skip
    async def test_anything_else_is_415(self, given: str) -> None:
        async with calling(edge_app()) as client:
            answer = await client.post("/api/v1/write", content=b'{"text": "x"}', headers={"Content-Type": given})
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")

    async def test_is_not_asked_of_a_request_without_a_body(self) -> None:
        async with calling(edge_app()) as client:
            assert (await client.post("/api/v1/plain")).status_code == 200

    async def test_of_a_form_route_is_a_form(self) -> None:
        policy = EdgePolicy(PUBLIC_URL, media_types={"/api/v1/plain": FORM})
        async with calling(edge_app(policy)) as client:
            form = await client.post("/api/v1/plain", data={"grant_type": "password"})
            json = await client.post("/api/v1/plain", json={"grant_type": "password"})
        assert (form.status_code, json.status_code, json.json()["media_type"]) == (200, 415, FORM.decode())

    async def test_of_a_host_route_is_the_hosts_business(self) -> None:
        async with calling(edge_app(HOSTED)) as client:
            assert (
                await client.post("/host/plain", content=b"x", headers={"Content-Type": "text/plain"})
            ).status_code == 200


class TestSecurityHeaders:
    async def test_stand_on_answers_of_ours(self) -> None:
        async with calling(edge_app()) as client:
            headers = (await client.get("/api/v1/read")).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["strict-transport-security"].startswith("max-age=")

    async def test_leave_the_content_of_a_host_to_the_host(self) -> None:
        async with calling(edge_app(HOSTED)) as client:
            headers = (await client.get("/host/read")).headers
        assert not {"content-security-policy", "cache-control"} & set(headers)
        assert headers["x-content-type-options"] == "nosniff"

    async def test_do_not_replace_what_a_handler_set(self) -> None:
        async with calling(edge_app()) as client:
            headers = (await client.get("/api/v1/framed")).headers
        assert headers.get_list("content-security-policy") == ["default-src 'self'"]

    async def test_promise_https_only_where_there_is_https(self) -> None:
        async with calling(edge_app(EdgePolicy("http://127.0.0.1:8000")), "http://127.0.0.1:8000") as client:
            assert "strict-transport-security" not in (await client.get("/api/v1/read")).headers

    @pytest.mark.parametrize("path", ["/api/v1/nowhere", "/api/v1/broken"])
    async def test_stand_on_refusals_too(self, path: str) -> None:
        async with calling(edge_app()) as client:
            assert "content-security-policy" in (await client.get(path)).headers

    @pytest.mark.parametrize(
        ("path", "ours"), [("/api/v1", True), ("/api/v1/x", True), ("/api/v1x", False), ("/host/api/v1/x", False)]
    )
    async def test_know_our_paths_from_similar_ones(self, path: str, ours: bool) -> None:
        async with calling(edge_app(HOSTED)) as client:
            assert ("content-security-policy" in (await client.get(path)).headers) is ours


class TestCaching:
    async def test_is_forbidden_and_varies_by_caller_and_mandate(self) -> None:
        async with calling(edge_app(EdgePolicy(PUBLIC_URL))) as client:
            headers = (await client.get("/api/v1/read", headers=COOKIE)).headers
        assert headers["cache-control"] == "no-store"
        assert headers["vary"] == "Cookie, Authorization, X-Mandate-Id, X-Instance-Id"

    async def test_is_left_alone_where_the_handler_says_public(self) -> None:
        async with calling(edge_app(EdgePolicy(PUBLIC_URL))) as client:
            headers = (await client.get("/api/v1/public")).headers
        assert (headers["cache-control"], "vary" in headers) == ("public, max-age=60", False)


class TestCors:
    async def test_lets_an_allowed_origin_read_with_credentials(self) -> None:
        async with calling(edge_app()) as client:
            headers = (await client.get("/api/v1/read", headers={"Origin": SPA})).headers
        assert headers["access-control-allow-origin"] == SPA
        assert headers["access-control-allow-credentials"] == "true"
        assert "X-Request-Id" in headers["access-control-expose-headers"]
        assert "Origin" in headers.get_list("vary")

    @pytest.mark.parametrize(
        "origin", ["https://evil.example", "null", "https://spa.example.evil.example", "http://spa.example"]
    )
    async def test_says_nothing_to_any_other_origin(self, origin: str) -> None:
        async with calling(edge_app()) as client:
            headers = (await client.get("/api/v1/read", headers={"Origin": origin})).headers
        assert "access-control-allow-origin" not in headers

    async def test_preflight_of_an_allowed_origin_is_answered(self) -> None:
        async with calling(edge_app()) as client:
            answer = await client.options(
                "/api/v1/write", headers={"Origin": SPA, "Access-Control-Request-Method": "POST"}
            )
        assert answer.status_code == 204
        assert "X-Mandate-Id" in answer.headers["access-control-allow-headers"]
        assert answer.headers["access-control-allow-origin"] == SPA

    async def test_preflight_of_another_origin_is_refused(self) -> None:
        async with calling(edge_app()) as client:
            headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
            answer = await client.options("/api/v1/write", headers=headers)
        assert (answer.status_code, "access-control-allow-origin" in answer.headers) == (403, False)

    async def test_preflight_of_another_origin_to_a_host_route_is_left_to_the_host(self) -> None:
        async with calling(edge_app(HOSTED)) as client:
            headers = {"Origin": "https://partner.example", "Access-Control-Request-Method": "POST"}
            assert (await client.options("/host/write", headers=headers)).status_code == 405

    async def test_lets_the_allowed_origin_read_refusals_too(self) -> None:
        async with calling(edge_app()) as client:
            answer = await client.post("/api/v1/write", json={}, headers=COOKIE | {"Origin": SPA})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (403, SPA)


class TestDefaultRateLimit:
    async def test_refuses_the_request_after_the_last_one_allowed(self) -> None:
        async with calling(edge_app(limit="3/minute")) as client:
            answers = [await client.get("/api/v1/read") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert 1 <= int(answers[3].headers["retry-after"]) <= 60

    async def test_counts_clients_apart(self) -> None:
        app = edge_app(limit="1/minute")
        async with calling(app, peer="203.0.113.1") as one, calling(app, peer="203.0.113.2") as other:
            assert [(await client.get("/api/v1/read")).status_code for client in (one, other, one)] == [200, 200, 429]

    async def test_counts_behind_a_trusted_proxy_by_the_real_client(self) -> None:
        app = edge_app(EdgePolicy(PUBLIC_URL, trusted_proxies=("10.0.0.0/8",)), limit="1/minute")
        async with calling(app, peer="10.0.0.1") as client:
            statuses = [
                (await client.get("/api/v1/read", headers={"X-Forwarded-For": hops})).status_code
                for hops in ("198.51.100.1", "198.51.100.2", "6.6.6.6, 198.51.100.1")
            ]
        assert statuses == [200, 200, 429]

    async def test_does_not_count_health_probes(self) -> None:
        async with calling(edge_app(limit="1/minute")) as client:
            assert [(await client.get("/health/live")).status_code for _ in range(3)] == [404, 404, 404]


class TestWhatEscapesTheApplication:
    async def test_is_answered_500_with_a_request_id_and_nothing_else(self) -> None:
        async with calling(edge_app()) as client:
            answer = await client.get("/api/v1/broken")
        assert answer.status_code == 500
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
        assert "swordfish" not in answer.text

    async def test_is_logged_with_its_traceback(self) -> None:
        with capture_logs() as logs:
            async with calling(edge_app()) as client:
                await client.get("/api/v1/broken")
        (entry,) = [entry for entry in logs if entry["event"] == "unhandled_error"]
        assert entry["exc_info"]

    async def test_cuts_off_an_answer_already_begun(self) -> None:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        with pytest.raises(AnswerCutOff):
            await edge_app()(scope_of("/api/v1/broken-stream"), _never, send)
        assert [message["status"] for message in sent if message["type"] == "http.response.start"] == [200]
        assert not any(message["type"] == "http.response.body" and not message.get("more_body") for message in sent)

    async def test_a_client_that_leaves_while_sending_is_no_error(self) -> None:
        headers = [(b"content-length", b"10"), (b"content-type", b"application/json")]
        with capture_logs() as logs:
            await run_raw(edge_app(), scope_of("/api/v1/plain", method="POST", headers=headers))
        assert logs == []

    async def test_a_cancelled_request_still_ends_its_count(self) -> None:
        app = edge_app()

        async def receive() -> Message:
            raise CancelledError

        async def send(_message: Message) -> None:
            pass

        headers = [(b"content-length", b"10"), (b"content-type", b"application/json")]
        with pytest.raises(CancelledError):
            await app(scope_of("/api/v1/plain", method="POST", headers=headers), receive, send)
        assert metrics_of(app).registry.get_sample_value("http_requests_in_progress") == 0


class TestAccessLog:
    async def test_has_one_line_per_request(self, answered: Answered) -> None:
        async with calling(edge_app()) as client:
            answer = await client.get("/api/v1/read?token=secret", headers=COOKIE)
        (line,) = answered()
        assert (line.method, line.path, line.status, line.client) == ("GET", "/api/v1/read", 200, "203.0.113.7")
        assert line.request_id == answer.headers["x-request-id"]

    async def test_never_holds_query_or_cookies(self, answered: Answered) -> None:
        async with calling(edge_app()) as client:
            await client.get("/api/v1/read?token=secret", headers=COOKIE | OWN_PAGE)
        assert "secret" not in str(answered())


@pytest.fixture
def answered(caplog: pytest.LogCaptureFixture) -> Answered:
    """What the access log says so far."""
    caplog.set_level("INFO", "gateway.access")
    return lambda: [record.msg for record in caplog.records if isinstance(record.msg, AnsweredRequest)]


async def _never() -> Message:
    raise AssertionError("nothing reads the body of this request")
