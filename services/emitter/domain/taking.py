"""Which events of several batches are new, and which batches are refused: each all or none."""

from collections.abc import Callable, Collection, Iterable, Sequence

from services.emitter.domain.ports import Event, Taken
from services.kernel.errors import ComptoirError


def sort_out(
    batches: Iterable[Sequence[Event]], known: Collection[bytes], refuse_if_full: Callable[[int], None]
) -> tuple[list[Event], list[Taken | ComptoirError]]:
    """Returns the new events, one per id and in order, and what is to be said of each batch.

    `refuse_if_full` raises if there is no room for so many bytes; those of a batch come on top of what the
    batches before it take. A batch without a new event needs no room.
    """
    fresh, size_bytes = dict[bytes, Event](), 0
    outcomes = list[Taken | ComptoirError]()
    for batch in batches:
        its = dict[bytes, Event]()
        for event in batch:
            if event.event_id not in known and event.event_id not in fresh:
                its.setdefault(event.event_id, event)
        incoming_bytes = size_bytes + sum(event.size_bytes for event in its.values())
        try:
            if its:
                refuse_if_full(incoming_bytes)
        except ComptoirError as refusal:
            outcomes.append(refusal)
            continue
        fresh |= its
        size_bytes = incoming_bytes
        outcomes.append(Taken(accepted=len(its), duplicates=len(batch) - len(its)))
    return [*fresh.values()], outcomes
