"""What is logged in an application that mounts the gateway and configures no logging itself."""

from collections.abc import Iterator
from time import monotonic

from fastapi import FastAPI
import httpx
import pytest
import structlog

from gateway.app import Gateway
from gateway.settings import Settings

SECRET = "a-bearer-token-of-somebody"


@pytest.fixture
def unconfigured() -> Iterator[None]:
    """structlog as a host finds it; afterwards as the other tests left it."""
    before = structlog.get_config() if structlog.is_configured() else None
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()
    if before is not None:
        structlog.configure(**before)


async def crash() -> str:
    """Ask a route with a bug, with a credential; what it answers does not matter here."""
    app = FastAPI()
    Gateway(Settings.load(None, environment={}, overrides={})).mount(app)

    @app.get("/host")
    async def fail() -> None:
        password_in_a_variable = "hunter2-in-a-variable"
        raise ValueError(f"a bug of the host's, {len(password_in_a_variable)}")

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        answer = await client.get("/host", headers={"Authorization": f"Bearer {SECRET}"})
    return f"{answer.status_code}"


class TestAnUnexpectedError:
    async def test_is_logged_without_the_secrets_of_the_request(
        self, unconfigured: None, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert await crash() == "500"
        said = capsys.readouterr().out
        assert "a bug of the host's" in said
        assert SECRET not in said
        assert "hunter2" not in said

    async def test_is_logged_in_no_time(self, unconfigured: None) -> None:
        began = monotonic()
        await crash()
        assert monotonic() - began < 5

    async def test_is_logged_as_a_host_wants_that_configures_structlog(self, unconfigured: None) -> None:
        wanted = [structlog.processors.JSONRenderer()]
        structlog.configure(processors=wanted)
        await crash()
        assert structlog.get_config()["processors"] is wanted
