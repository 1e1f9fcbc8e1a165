"""References to items of earlier answers, which are sealed within ids, since nothing is stored here."""

from collections.abc import Sequence
from typing import Final

from services.edge.domain.openai.conversion import converted
from services.edge.domain.openai.responses.body import ResponseItem
from services.edge.domain.openai.responses.output import ItemKind
from services.edge.domain.openai.responses.ports import BETWEEN, ItemSeal
from services.kernel.errors import ComptoirError
from services.kernel.steps import Steps

REFERENCE: Final = "item_reference"
# One of the words that every version of the Vercel AI SDK names itself with begins so.
_REFERRING_CLIENT: Final = b"ai-sdk"


def sends_references(user_agents: Sequence[bytes]) -> bool:
    """Returns whether a client sends references in place of what a model said, as its header names it."""
    return any(word.startswith(_REFERRING_CLIENT) for one in user_agents for word in one.split())


def resolved_steps(
    items: str | Sequence[ResponseItem] | None, seal: ItemSeal | None
) -> Steps[str | Sequence[ResponseItem] | None]:
    """Returns the items of an input, with those in place of references that an id of this input holds.

    A reference that no id resolves stays what it is. What a carrier holds is taken once: a short reference
    that is said again and again would make a prompt of any length.
    """
    if seal is None or items is None or isinstance(items, str):
        return items
    carried: dict[str, str] = {}
    for item in items:
        if item.type == REFERENCE and _kind(item) is ItemKind.REASONING:
            message_id, _, text = (seal.open(item.id or "") or "").partition(BETWEEN)
            carried[message_id] = text
            yield
    resolved = []
    for item in items:
        found = None
        if item.type == REFERENCE and _kind(item) in (ItemKind.MESSAGE, ItemKind.CALL):
            item_id = item.id or ""
            found = _said(carried.pop(item_id)) if item_id in carried else _opened(item, seal)
            yield
        resolved.append(found or item)
    return resolved


def _kind(item: ResponseItem) -> ItemKind | None:
    prefix = (item.id or "").partition("_")[0]
    return next((kind for kind in ItemKind if kind.value == prefix), None)


def _opened(item: ResponseItem, seal: ItemSeal) -> ResponseItem | None:
    """Returns the item that the id of a reference holds; who has the key may have sealed anything."""
    content = seal.open(item.id or "")
    if content is None:
        return None
    if _kind(item) is ItemKind.MESSAGE:
        return _said(content)
    call_id, _, rest = content.partition(BETWEEN)
    name, _, arguments = rest.partition(BETWEEN)
    call = {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}
    try:
        return converted(call, ResponseItem)
    except ComptoirError:
        return None


def _said(text: str) -> ResponseItem:
    return ResponseItem(type="message", role="assistant", content=text)
