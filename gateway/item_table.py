"""The committed table of everything that can be permitted, with its reach: who decides about it."""

from collections.abc import Iterable

from modules.shared.catalogue import Item, Reach

_HEAD = """# Items

Written by `scripts/render_docs.py` from the features' permissions. An item of reach

- `installation` is decided by roles of the root mandate alone, on `/admin` routes,
- `mandate` by the roles held in a mandate, whatever instance a request names,
- `instance` by these and the roles held in the feature instance a request has to name.

A host application adds items of its own with `Gateway.declare_item`.

| kind | item | reach | actions | fields | what it is |
|---|---|---|---|---|---|
"""
_ORDER = {reach: place for place, reach in enumerate(Reach)}


def render_items(items: Iterable[Item]) -> str:
    """`docs/items.md`."""
    rows = sorted(items, key=lambda item: (_ORDER[item.reach], item.kind, item.path))
    return _HEAD + "".join(_row(item) for item in rows)


def _row(item: Item) -> str:
    actions, fields = ", ".join(sorted(item.actions)), ", ".join(sorted(item.fields))
    return f"| {item.kind} | `{item.path}` | {item.reach} | {actions} | {fields} | {item.label.en} |\n"
