"""Counts the fields of a body that were dropped without effect; their names may be the caller's own words."""

import functools
from collections.abc import Iterator
from typing import Any, Final, get_args, get_type_hints

from msgspec import Struct

from services.edge.domain.openai.refusals import JsonObject
from services.edge.domain.openai.understood import UNDERSTOOD
from services.kernel.steps import Steps, finished

# Of each list; a list of lists may be read whole between two steps: about a millisecond.
_ITEMS_PER_STEP: Final = 32
IGNORED_FIELDS_HEADER: Final = b"x-comptoir-ignored-fields"


def ignored_steps(
    value: JsonObject, body: type[Struct], without_effect: int = 0
) -> Steps[list[tuple[bytes, bytes]]]:
    """Returns the header that says how many fields of `value`, a valid `body`, had no effect; none for 0.

    `without_effect` is what else had none.
    """
    count = without_effect + (yield from _count_steps(value, (body,)))
    return [(IGNORED_FIELDS_HEADER, b"%d" % count)] if count else []


def count_ignored(value: JsonObject, types: tuple[type[Struct], ...]) -> int:
    """Returns what `_count_steps` does, at once."""
    return finished(_count_steps(value, types))


def _count_steps(value: JsonObject, types: tuple[type[Struct], ...]) -> Steps[int]:
    """Returns how many fields of an object of one of `types`, and of the objects in it, had no effect.

    A null is as good as absent. Objects that have no type here, such as a JSON schema, are one value.
    """
    known, nested = _shape(types)
    count = 0
    if not known.issuperset(value):
        # Mostly not: a list may hold thousands of objects.
        count = sum(1 for name, inner in value.items() if inner is not None and name not in known)
    for name, inner_types in nested:
        inner = value.get(name)
        if isinstance(inner, dict):
            count += yield from _count_steps(inner, inner_types)
        elif isinstance(inner, list):
            count += yield from _list_steps(inner, inner_types)
    return count


def _list_steps(items: list[Any], types: tuple[type[Struct], ...]) -> Steps[int]:
    count = 0
    for number, item in enumerate(items, 1):
        if isinstance(item, dict):
            count += yield from _count_steps(item, types)
        if number % _ITEMS_PER_STEP == 0:
            yield
    return count


@functools.cache
def _shape(
    types: tuple[type[Struct], ...],
) -> tuple[frozenset[str], tuple[tuple[str, tuple[type[Struct], ...]], ...]]:
    """Returns the names that have an effect, and fields that hold objects, with their types."""
    known: set[str] = set()
    nested: dict[str, tuple[type[Struct], ...]] = {}
    for each in types:
        known |= {*each.__struct_encode_fields__, *UNDERSTOOD.get(each, ())}
        for name, hint in get_type_hints(each).items():
            if inner := tuple(structs_in(hint)):
                nested[name] = (*nested.get(name, ()), *inner)
    return frozenset(known), tuple(nested.items())


def structs_in(hint: Any) -> Iterator[type[Struct]]:  # a type, as `get_type_hints` gives it
    """Yields the types of objects within a type."""
    if isinstance(hint, type) and issubclass(hint, Struct):
        yield hint
    for inner in get_args(hint):
        yield from structs_in(inner)
