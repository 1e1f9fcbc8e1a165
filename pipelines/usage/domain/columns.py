"""Types of the store's columns: how they are written, and how a stored one is widened to this build's."""

import re
from collections.abc import Mapping
from typing import Final

from pipelines.usage.domain.errors import SchemaError

_ENUM: Final = re.compile(r"Enum(?:8|16)\(('\w+' = \d+(?:, '\w+' = \d+)*)\)")
_MEMBER: Final = re.compile(r"'(\w+)' = (\d+)")
_MOST_OF_ENUM8: Final = 127
# By width.
_INTEGERS: Final = ("UInt8", "UInt16", "UInt32", "UInt64")


def enum_type(names: Mapping[int, str]) -> str:
    """Returns the type of a column that holds one of `names`, by number."""
    members = ", ".join(f"'{name}' = {number}" for number, name in sorted(names.items()))
    return f"Enum{8 if max(names) <= _MOST_OF_ENUM8 else 16}({members})"


def integer_type(most: int) -> str:
    """Returns the narrowest type that holds every number up to `most`."""
    bits = max(8, 1 << (most.bit_length() - 1).bit_length())
    return f"UInt{bits}"


def members_of(column: str) -> Mapping[int, str]:
    """Returns the names of an enum's type by number; none where it is another type."""
    if _ENUM.fullmatch(column) is None:
        return {}
    return {int(number): name for name, number in _MEMBER.findall(column)}


def widened(place: str, stored: str, wanted: str) -> str:
    """Returns the type that holds all that `stored` and `wanted` hold, for the column at `place`.

    SchemaError where the two contradict. A store that a newer build has widened stays so: what this build
    does not know, it takes no names and no room from.
    """
    if stored in _INTEGERS and wanted in _INTEGERS:
        return max(stored, wanted, key=_INTEGERS.index)
    known, needed = members_of(stored), members_of(wanted)
    both = {**needed, **known}
    if stored == wanted or (known and both == known and {**known, **needed} == known):
        return stored
    is_one_list = {**known, **needed} == both and len(set(both.values())) == len(both)
    if not (known and needed and is_one_list):
        raise SchemaError(f"the store's column {place} has other names or numbers than those of this build.")
    return enum_type(both)
