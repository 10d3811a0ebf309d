"""The committed table of items is the one the code declares."""

from pathlib import Path

from gateway.features import ITEMS
from gateway.item_table import render_items
from modules.shared.catalogue import Reach

DOCUMENT = Path(__file__).parents[2] / "docs" / "items.md"


class TestTheItemTable:
    def test_is_committed_as_declared(self) -> None:
        assert DOCUMENT.read_text("utf-8") == render_items(ITEMS), "run scripts/render_docs.py"

    def test_names_every_item_once(self) -> None:
        assert render_items(ITEMS).count("\n| ") == len(ITEMS) + 1

    def test_puts_everything_for_the_operator_under_admin(self) -> None:
        assert {item.path.split(".")[0] for item in ITEMS if item.reach is Reach.INSTALLATION} == {"admin"}
