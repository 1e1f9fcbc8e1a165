"""Settings classes as tables for people: every key with its type, bounds, default and meaning."""

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import time
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, HttpUrl, PostgresDsn
from pydantic.fields import FieldInfo

_HEADER: Final = ("| Key | Value | Default | Meaning | Variable |", "|---|---|---|---|---|")
_NAMES: Final = {
    bool: "`true` or `false`",
    int: "whole number",
    float: "number",
    Decimal: "number",
    str: "text",
    Path: "path",
    HttpUrl: "URL",
    PostgresDsn: "URL",
    time: "time of day, in quotes",
    AwareDatetime: "moment with its offset from UTC",
    ZoneInfo: "time zone",
}
_UNITS: Final = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
_SIGNS: Final = (("ge", "≥ {}"), ("gt", "> {}"), ("le", "≤ {}"), ("lt", "< {}"))
_LENGTHS: Final = (("min_length", "at least {} long"), ("max_length", "at most {} long"))


@dataclass(frozen=True, slots=True)
class Table:
    """How a settings class is told.

    `variable` begins the names of the environment variables, and is empty where there are none. `apart` says,
    by class, what stands for the keys of one that is nested in many places.
    """

    variable: str = ""
    skip: frozenset[str] = frozenset()
    apart: Mapping[type[BaseModel], str] = field(default_factory=dict)

    def lines(self, model: type[BaseModel]) -> Iterator[str]:
        """Yields the table: a line per key, keys of what is nested with dots between."""
        yield from _HEADER
        for name, info in model.model_fields.items():
            if name not in self.skip:
                variable = f"{self.variable}{name.upper()}" if self.variable else ""
                yield from self._lines_of(name, info, name, variable)

    def _lines_of(self, name: str, info: FieldInfo, key: str, variable: str) -> Iterator[str]:
        nested = nested_in(info)
        value = (nested and self.apart.get(nested)) or _value(info)
        meaning = (info.description or "").replace("|", "\\|")
        yield f"| `{key}` | {value} | {_default(name, info)} | {meaning} | {variable and f'`{variable}`'} |"
        if nested is None or nested in self.apart:
            return
        is_list = get_origin(info.annotation) is tuple
        for below, info_below in nested.model_fields.items():
            # A variable holds a list as a whole.
            variable_below = "" if is_list or not variable else f"{variable}__{below.upper()}"
            key_below = f"{key}[].{below}" if is_list else f"{key}.{below}"
            yield from self._lines_of(below, info_below, key_below, variable_below)


def nested_in(info: FieldInfo) -> type[BaseModel] | None:
    """Returns the settings class that a field holds, alone or in a list; None for a plain value."""
    for annotation in _all_of(info.annotation):
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return annotation
    return None


def _all_of(annotation: Any) -> Iterator[Any]:
    yield annotation
    for argument in get_args(annotation):
        yield from _all_of(argument)


def _value(info: FieldInfo) -> str:
    return ", ".join((_type(info.annotation), *_bounds(info.metadata))).replace("|", "\\|")


def _type(annotation: Any) -> str:
    if get_args(annotation):
        return _type_of_several(annotation)
    if issubclass(annotation, Enum):
        return " or ".join(f"`{member.value}`" for member in annotation)
    return "mapping" if issubclass(annotation, BaseModel) else _NAMES[annotation]


def _type_of_several(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_type(argument) for argument in arguments if argument is not types.NoneType)
    if origin is dict:
        return f"mapping of {_type(arguments[0])} to {_type(arguments[1])}"
    return _type(arguments[0]) if origin is Annotated else f"list of {_type(arguments[0])}"


def _bounds(metadata: list[Any]) -> Iterator[str]:
    for constraint in metadata:
        for name, words in (*_SIGNS, *_LENGTHS):
            bound = getattr(constraint, name, None)
            if bound is not None:
                yield words.format(f"{bound:,}" if isinstance(bound, int) else f"{bound:,g}")
        if (places := getattr(constraint, "decimal_places", None)) is not None:
            yield f"at most {places} digits after the point"
        pattern = getattr(constraint, "pattern", None)
        if pattern is not None:
            yield f"like `{pattern}`"


def _default(name: str, info: FieldInfo) -> str:
    default = info.default.value if isinstance(info.default, Enum) else info.default
    if info.is_required():
        return "required"
    if default is None or default == "":
        return "none"
    if info.default_factory is not None or isinstance(default, BaseModel | tuple | dict):
        return "" if default else "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`{_unit(name, default)}"


def _unit(name: str, default: Any) -> str:
    """Returns bytes in the largest unit of which they are a whole number, in brackets."""
    if "bytes" not in name:
        return ""
    return next(
        (f" ({default // size} {unit})" for size, unit in _UNITS if default and default % size == 0), ""
    )
