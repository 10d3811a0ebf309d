"""The documents say what is so: settings, commands, metrics, log events and links exist as they are written."""

from pathlib import Path
import re

from prometheus_client import CollectorRegistry
import pytest
import typer
from typer.core import TyperGroup

from gateway.cli import app
from gateway.http.metrics import HttpMetrics
from gateway.settings import Settings
from gateway.system.metrics import InstallationMetrics
from gateway.system.schemas import PoolRead
from modules.shared.settings import render_reference

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
OPERATIONS = (DOCS / "operations.md").read_text(encoding="utf-8")
PAGES = sorted([*DOCS.glob("*.md"), *ROOT.glob("*.md")])
WRITTEN = re.compile(r"\bmandate((?: [a-z][a-z-]*)+)((?: --[a-z][a-z-]*)*)")


def table(heading: str) -> list[str]:
    """The first cells of the table below a heading of operations.md, without their backticks."""
    section = OPERATIONS.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def code_of(page: Path) -> list[str]:
    """What a page sets as code: its blocks and its backticks."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return blocks + re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def options_of(words: list[str]) -> set[str]:
    """The options of the command that the first of `words` name; what follows them are arguments."""
    command = typer.main.get_command(app)
    for word in words:
        if not isinstance(command, TyperGroup):
            break
        assert word in command.commands, f"mandate {' '.join(words)}"
        command = command.commands[word]
    assert not isinstance(command, TyperGroup), f"mandate {' '.join(words)}"
    return {option for parameter in command.params for option in parameter.opts}


class TestConfiguration:
    def test_is_current(self) -> None:
        written = (DOCS / "configuration.md").read_text(encoding="utf-8")
        assert written == render_reference(Settings), "run scripts/render_docs.py"

    def test_names_every_key(self) -> None:
        written = (DOCS / "configuration.md").read_text(encoding="utf-8")
        for name, section in Settings().list_sections():
            assert f"## [{name}]" in written
            assert [key for key in type(section).model_fields if f"| `{key}` |" not in written] == []


class TestCommands:
    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    def test_exist_with_their_options(self, page: Path) -> None:
        for code in code_of(page):
            for words, options in WRITTEN.findall(code):
                assert set(options.split()) <= options_of(words.split()), f"mandate{words}{options}"

    def test_are_named_by_operations_all_of_them(self) -> None:
        group = typer.main.get_command(app)
        assert isinstance(group, TyperGroup)
        missing = {name for name in group.commands if f"mandate {name}" not in OPERATIONS}
        assert missing == {"demo", "openapi"}


def counted() -> CollectorRegistry:
    """Every metric, each with something counted."""
    http = HttpMetrics("1")
    http.count("GET", "/", 200, 0.1)
    http.refused("not_found")
    installation = InstallationMetrics(http.registry)
    installation.count_mail("sent")
    installation.count_sign_in("ok")
    installation.show_pools([PoolRead(login="mandate_app", size=1, in_use=0, idle=1, waiting=0)])
    return http.registry


class TestOperations:
    def test_name_settings_that_exist(self) -> None:
        known = {
            f"[{name}] {key}" for name, section in Settings().list_sections() for key in type(section).model_fields
        }
        written = set(re.findall(r"`(\[[a-z_]+\] [a-z0-9_]+)", OPERATIONS)) - {"[section] key"}
        assert len(written) > 20
        assert written - known == set()

    def test_name_every_metric_and_no_other(self) -> None:
        names = {f"{family.name}_total" if family.type == "counter" else family.name for family in counted().collect()}
        assert set(table("Metrics")) == names

    def test_name_the_labels_of_every_metric(self) -> None:
        for family in counted().collect():
            name = f"{family.name}_total" if family.type == "counter" else family.name
            (row,) = [line for line in OPERATIONS.splitlines() if line.startswith(f"| `{name}` |")]
            kind, labels = row.split("|")[2].strip(), set(re.findall(r"`(\w+)`", row.split("|")[3]))
            assert kind == family.type
            assert labels == {label for sample in family.samples for label in sample.labels} - {"le"}

    def test_name_log_events_that_are_logged(self) -> None:
        sources = [path for part in ("gateway", "modules") for path in (ROOT / part).rglob("*.py")]
        source = "\n".join(path.read_text(encoding="utf-8") for path in sources)
        events = table("Logs")
        assert len(events) > 10
        assert [event for event in events if f'"{event}"' not in source] == []


class TestLinks:
    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    def test_lead_somewhere(self, page: Path) -> None:
        links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
        assert [link for link in links if not (page.parent / link).exists()] == []

    def test_of_the_index_lead_to_every_page(self) -> None:
        index = (DOCS / "README.md").read_text(encoding="utf-8")
        pages = {page.name for page in DOCS.glob("*.md")} - {"README.md"}
        assert {name for name in pages if f"({name})" not in index} == set()
