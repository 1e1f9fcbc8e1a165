"""Which scheduling class a request asks for: by OpenAI's `service_tier`, or by a header of its own."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from services.edge.domain.generation import Priority
from services.edge.domain.openai.refusals import invalid

PRIORITY_HEADER: Final = "x-comptoir-priority"
PRIORITY_CLASSES: Final = tuple(one.value for one in Priority)
PRIORITY_WORDS: Final = MappingProxyType({PRIORITY_HEADER: "absent, interactive, default or batch"})
_CLASSES: Final = {one.value.encode(): one for one in Priority}
_TIERS: Final = {
    "flex": Priority.BATCH,
    "priority": Priority.INTERACTIVE,
    # OpenAI's newer words for it, and for more than it.
    "fast": Priority.INTERACTIVE,
    "ultrafast": Priority.INTERACTIVE,
}
_TIER_OF: Final = {
    Priority.INTERACTIVE: "priority",
    Priority.DEFAULT: "default",
    Priority.BATCH: "flex",
}


def priority_for(headers: Sequence[bytes], service_tier: str | None) -> Priority:
    """Returns the class that a request asks for; the header says it more exactly than the tier.

    Raises REQUEST_INVALID for a header that names none.
    """
    if headers:
        asked = _CLASSES.get(headers[0].strip().lower()) if len(headers) == 1 else None
        return asked or invalid(PRIORITY_HEADER)
    return _TIERS.get(service_tier or "", Priority.DEFAULT)


def tier_of(priority: Priority) -> str:
    """Returns the tier that a class is, as OpenAI's answers name it."""
    return _TIER_OF[priority]
