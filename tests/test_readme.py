"""The README keeps its word: its example runs as it stands there, its links lead somewhere, its commands exist."""

from pathlib import Path
import re

import pytest
from typer.testing import CliRunner

from gateway.cli import app as commands
from tests.support.commands import environment_for
from tests.support.gateway import RunningGateway
from tests.support.postgres import DatabaseUrls

REPOSITORY = Path(__file__).parent.parent
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


async def test_the_example_runs_as_it_stands_there(
    database_urls: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in environment_for(database_urls, tmp_path, jobs__in_process="no").items():
        monkeypatch.setenv(name, value)
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    namespace: dict[str, object] = {"__name__": "host"}
    exec(example, namespace)  # noqa: S102 - the README's own words
    app, gateway = namespace["app"], namespace["gateway"]
    async with app.router.lifespan_context(app):  # type: ignore[attr-defined]
        host = RunningGateway(app, gateway)  # type: ignore[arg-type]
        ada, alpine = await host.person(), await host.mandate("alpine", "Alpine Software GmbH")
        await host.join(ada, alpine, "member")
        async with host.client(ada, alpine) as client:
            assert (await client.get("/invoices")).json() == {"mandate": "Alpine Software GmbH", "reach": "ALL"}
        async with host.client(ada) as client:
            assert (await client.get("/invoices")).json()["code"] == "mandate_required"


def test_its_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert [target for target in targets if not (REPOSITORY / target).exists()] == []


def test_its_commands_exist() -> None:
    known = CliRunner().invoke(commands, ["--help"]).output
    named = set(re.findall(r"^mandate ([a-z-]+)", README, re.MULTILINE))
    assert named
    assert [name for name in named if not re.search(rf"^  {name} ", known, re.MULTILINE)] == []
