"""docs/sign-in/data-connections.md keeps its word: its example runs as it stands there."""

from pathlib import Path
import re

import pytest

from modules.shared import services
from tests.auth.people import FAST_HASHES
from tests.auth.providers import settings_of
from tests.connections.owners import new_owner
from tests.support.commands import environment_for
from tests.support.gateway import BASE_URL, RunningGateway
from tests.support.openid_peer import OpenIdPeer
from tests.support.postgres import DatabaseUrls

PAGE = Path(__file__).parents[2] / "docs" / "sign-in" / "data-connections.md"


async def test_the_example_runs_as_it_stands_there(
    database_urls: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, peer: OpenIdPeer
) -> None:
    monkeypatch.chdir(tmp_path)
    overrides = {name.replace(".", "__"): value for name, value in FAST_HASHES.items()}
    for name, value in environment_for(database_urls, tmp_path, jobs__in_process="no", **overrides).items():
        monkeypatch.setenv(name, value)
    written = PAGE.read_text(encoding="utf-8").replace("https://login.example.org", peer.issuer)
    section = written[written.index("[oidc.example]") : written.index("[connections.google]")]
    connected = written[written.index("[connections.example]") : written.index("```\n\nA section offers")]
    secret = settings_of(peer)["oidc.peer.client_secret"]
    (tmp_path / "config.ini").write_text(f"{section}client_secret = {secret}\n\n{connected}", encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", written, re.DOTALL)
    namespace: dict[str, object] = {"__name__": "host"}
    exec(example, namespace)  # noqa: S102 - the page's own words
    app = namespace["app"]
    async with app.router.lifespan_context(app):  # type: ignore[attr-defined]
        assert hasattr(app.state, services.STATE)  # type: ignore[attr-defined]
        host = RunningGateway(app, None)  # type: ignore[arg-type]
        ada = await new_owner(host, "ada@example.org", await host.mandate("alpine"))
        events = f"{BASE_URL}/my-events"
        assert (await ada.browser.get(events)).json()["code"] == "connection_not_found"
        await ada.connect(provider="oidc:example")
        assert (await ada.browser.get(events)).json() == ["stand-up"]
