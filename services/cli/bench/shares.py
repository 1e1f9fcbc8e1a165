"""Which part of a load each of several sending processes sends: together they send what one would have."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

from services.cli.bench.load import Closed, Load


@dataclass(frozen=True, slots=True)
class Share:
    """The part of one process: `index` from 0, `of` so many."""

    index: int = 0
    of: int = 1


WHOLE = Share()


def share_of_load(load: Load, share: Share) -> Load:
    """Returns the users, or the places in flight, of one process; those of all are the load's."""
    if isinstance(load, Closed):
        return Closed(_part(load.users, share))
    return replace(load, most_in_flight=_part(load.most_in_flight, share))


def numbers_of(share: Share, requests: int | None) -> Iterator[int]:
    """Yields the numbers of the requests that one process sends of an open load, ascending from its first."""
    numbers = itertools.count(share.index, share.of)
    return numbers if requests is None else itertools.takewhile(lambda number: number < requests, numbers)


def due_of(due: Iterator[float], share: Share) -> Iterator[float]:
    """Yields when the requests of one process are due: every process draws all moments, and takes its own."""
    return itertools.islice(due, share.index, None, share.of)


def _part(count: int, share: Share) -> int:
    whole, rest = divmod(count, share.of)
    return whole + (share.index < rest)
