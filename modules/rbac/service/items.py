"""Declared items as a context may speak of them: which of them exist here, and finding the one a question names."""

from collections.abc import Iterator

from modules.rbac import errors
from modules.rbac.explanation import Question
from modules.rbac.schemas.decisions import CheckQuestion
from modules.shared.catalogue import InvalidDeclaration, Item, ItemCatalogue, ItemKind, Reach
from modules.shared.context import RequestContext


def items_shown(catalogue: ItemCatalogue, *, in_root: bool) -> Iterator[Item]:
    """Every item by kind and path; those of the installation only in the root mandate, where they are decided."""
    for item in sorted(catalogue, key=lambda item: (item.kind, item.path)):
        if in_root or item.reach is not Reach.INSTALLATION:
            yield item


def question_of(context: RequestContext, asked: CheckQuestion, pointer: str) -> Question:
    """What is asked, in declared things. Raises UnknownItem, UnknownAction, AmbiguousItem, and InstanceRequired for an
    item that only an instance decides.
    """
    item = _item(context.catalogue, asked, pointer)
    if asked.action not in item.actions:
        raise errors.UnknownAction(pointer=f"{pointer}/action", item=item.path, action=asked.action.value)
    if asked.field is not None and asked.field not in item.fields:
        raise errors.UnknownField(pointer=f"{pointer}/field", item=item.path, field=asked.field)
    if item.reach is Reach.INSTANCE and context.instance is None:
        raise errors.InstanceRequired
    return Question(item, asked.action, asked.field)


def _item(catalogue: ItemCatalogue, asked: CheckQuestion, pointer: str) -> Item:
    kinds = [kind for kind in ItemKind if asked.kind in {None, kind} and catalogue.find(kind, asked.item)]
    if len(kinds) > 1:
        raise errors.AmbiguousItem(pointer=f"{pointer}/kind", item=asked.item, kinds=", ".join(kinds))
    try:
        return catalogue.resolve(asked.item, asked.kind)
    except InvalidDeclaration as error:
        raise unknown_item(catalogue, asked.kind, asked.item, f"{pointer}/item") from error


def unknown_item(catalogue: ItemCatalogue, kind: ItemKind | None, path: str, pointer: str) -> errors.UnknownItem:
    """The refusal of something undeclared, with the nearest names that are."""
    near = catalogue.nearest(path.removesuffix(".*"))
    hint = f" → {', '.join(near)}" if near else ""
    return errors.UnknownItem(pointer=pointer, kind=kind.value if kind else "", item=path, hint=hint)
