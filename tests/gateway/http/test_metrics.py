"""What is counted, and who may see it."""

from collections.abc import Iterator
import os
from pathlib import Path
import subprocess
import sys

from fastapi import FastAPI
import pytest

from gateway.http.metrics import HttpMetrics, metrics_router
from tests.gateway.http.edge_app import calling, edge_app, metrics_of, run_raw, scope_of

ROOT = Path(__file__).parents[3]


def routes_counted(app: FastAPI) -> Iterator[tuple[str, str, str]]:
    for family in metrics_of(app).registry.collect():
        for sample in family.samples:
            if sample.name == "http_requests_total":
                yield sample.labels["method"], sample.labels["route"], sample.labels["status"]


class TestCounting:
    async def test_names_the_template_with_the_prefixes_it_was_included_under(self) -> None:
        app = edge_app()
        async with calling(app) as client:
            await client.get("/api/v1/items/7")
            await client.get("/api/v1/items/8")
        assert list(routes_counted(app)) == [("GET", "/api/v1/items/{item_id}", "200")]

    async def test_gathers_unknown_paths_under_one_name(self) -> None:
        app = edge_app()
        async with calling(app) as client:
            for path in ("/a", "/b", "/c?d=e"):
                await client.get(path)
        assert list(routes_counted(app)) == [("GET", "other", "404")]

    async def test_gathers_unknown_methods_under_one_name(self) -> None:
        app = edge_app()
        for method in ("BREW", "WHEN"):
            await run_raw(app, scope_of("/nowhere", method=method))
        assert list(routes_counted(app)) == [("other", "other", "404")]

    async def test_includes_what_the_edge_refused(self) -> None:
        app = edge_app()
        async with calling(app) as client:
            await client.get("/api/v1/read", headers={"Host": "evil.example"})
        assert list(routes_counted(app)) == [("GET", "other", "421")]

    async def test_measures_the_duration_by_route(self) -> None:
        app = edge_app()
        async with calling(app) as client:
            await client.get("/api/v1/read")
        registry = metrics_of(app).registry
        assert registry.get_sample_value("http_request_duration_seconds_count", {"route": "/api/v1/read"}) == 1

    async def test_is_apart_for_two_applications_in_one_process(self) -> None:
        one, other = edge_app(), edge_app()
        async with calling(one) as client:
            await client.get("/api/v1/read")
        assert list(routes_counted(other)) == []

    async def test_says_which_version_runs(self) -> None:
        assert metrics_of(edge_app()).registry.get_sample_value("mandate_build", {"version": "1.2.3"}) == 1


class TestTheMetricsPage:
    async def test_shows_the_metrics_to_the_token(self) -> None:
        async with calling(edge_app(router=metrics_router(HttpMetrics("1"), "sesame"))) as client:
            answer = await client.get("/metrics", headers={"Authorization": "Bearer sesame"})
        assert (answer.status_code, "mandate_build" in answer.text) == (200, True)

    @pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", "Basic sesame", "Bearer sésame"])
    async def test_is_401_for_anything_but_the_token(self, given: str) -> None:
        async with calling(edge_app(router=metrics_router(HttpMetrics("1"), "sesame")), peer="127.0.0.1") as client:
            answer = await client.get("/metrics", headers=[(b"Authorization", given.encode("latin-1"))])
        assert answer.status_code == 401

    @pytest.mark.parametrize("peer", ["127.0.0.1", "::1"])
    async def test_without_a_token_is_for_this_machine(self, peer: str) -> None:
        async with calling(edge_app(router=metrics_router(HttpMetrics("1"), None)), peer=peer) as client:
            assert (await client.get("/metrics")).status_code == 200

    async def test_without_a_token_is_403_from_elsewhere(self) -> None:
        async with calling(edge_app(router=metrics_router(HttpMetrics("1"), None))) as client:
            assert (await client.get("/metrics")).status_code == 403

    @pytest.mark.parametrize("sign", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
    async def test_without_a_token_is_403_through_a_proxy_on_this_machine(self, sign: str) -> None:
        async with calling(edge_app(router=metrics_router(HttpMetrics("1"), None)), peer="127.0.0.1") as client:
            assert (await client.get("/metrics", headers={sign: "203.0.113.7"})).status_code == 403


class TestSeveralWorkers:
    def test_are_shown_together_by_any_one_of_them(self, tmp_path: Path) -> None:
        environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
        work = "from gateway.http.metrics import HttpMetrics; m = HttpMetrics('1'); m.count('GET', '/x', 200, 0.1);"
        outputs = [
            subprocess.run(
                [sys.executable, "-c", f"{work} print(m.render().decode())"],
                env=environment, cwd=ROOT, check=True, capture_output=True, text=True,
            ).stdout
            for _ in range(2)
        ]  # fmt: skip
        assert 'http_requests_total{method="GET",route="/x",status="200"} 2.0' in outputs[1]
