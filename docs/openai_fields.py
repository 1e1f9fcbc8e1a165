"""Reads from the types of OpenAI's SDK what stands within a parameter: the fields of objects, and values."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from typing_extensions import is_typeddict

# What says of which kind an object is.
_KINDS: Final = ("type", "role")


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field within one, by its path, such as `tools[].function`, with its types."""

    path: str
    hints: tuple[Any, ...]

    @property
    def name(self) -> str:
        """The last step of its path."""
        return self.path.rpartition(".")[2]

    def values(self) -> Iterator[tuple[str, str]]:
        """Yields the words that it may be, each behind its place; none where any string may stand."""
        found = [pair for hint in self.hints for pair in _words(self.path, hint)]
        yield from dict.fromkeys(found)

    def below(self, is_taken: Callable[[str, str], bool]) -> Iterator["Field"]:
        """Yields the fields of the objects that it may hold, of each kind that is taken.

        `is_taken` is asked with what says the kind, such as `tools[].type`, which is yielded for every kind.
        """
        found: dict[str, list[Any]] = {}
        for place, type_ in (pair for hint in self.hints for pair in _objects(self.path, hint)):
            hints = get_type_hints(type_)
            said = next((name for name in _KINDS if any(_words("", hints.get(name)))), "")
            kinds = [kind for _, kind in _words("", hints.get(said))]
            is_read = not kinds or any(is_taken(f"{place}.{said}", kind) for kind in kinds)
            for name, hint in hints.items():
                if is_read or name == said:
                    found.setdefault(f"{place}.{name}", []).append(hint)
        yield from (Field(path, tuple(hints)) for path, hints in sorted(found.items()))


def _objects(place: str, hint: Any) -> Iterator[tuple[str, Any]]:  # as `get_type_hints` gives it
    """Yields the types of the objects within a type, each behind its place; chosen keys have none."""
    if is_typeddict(hint):
        yield place, hint
    elif get_origin(hint) is not dict:
        for part in get_args(hint):
            yield from _objects(_inner(place, hint), part)


def _words(place: str, hint: Any) -> Iterator[tuple[str, str]]:
    if get_origin(hint) is Literal:
        yield from ((place, value) for value in get_args(hint) if isinstance(value, str))
    elif get_origin(hint) is not dict and str not in get_args(hint):
        for part in get_args(hint):
            yield from _words(_inner(place, hint), part)


def _inner(place: str, hint: Any) -> str:
    # What is no choice of types is a list of some sort.
    return place if get_origin(hint) in (Union, UnionType) else f"{place}[]"
