"""Writes the documents that are made from the code: `docs/errors.md`, `docs/items.md`, `docs/configuration.md`,
`docs/sign-in/decision-table.md`. Run after changing an error, an item, a setting or that decision; tests compare.
"""

from pathlib import Path
import sys

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from gateway.features import ITEMS  # noqa: E402  # found through the line above
from gateway.http.error_catalogue import our_errors, render_markdown  # noqa: E402
from gateway.item_table import render_items  # noqa: E402
from gateway.settings import Settings  # noqa: E402
from modules.shared.settings import render_reference  # noqa: E402
from tests.auth import decision_table  # noqa: E402

if __name__ == "__main__":
    (ROOT / "docs" / "errors.md").write_text(render_markdown(our_errors()), encoding="utf-8")
    (ROOT / "docs" / "items.md").write_text(render_items(ITEMS), encoding="utf-8")
    (ROOT / "docs" / "configuration.md").write_text(render_reference(Settings), encoding="utf-8")
    decision_table.TABLE.write_text(decision_table.render(), encoding="utf-8")
