"""Reads one field of a JSON object as a type within a range, or refuses with the field's name."""

from collections.abc import Mapping
from typing import Any, NoReturn

from services.kernel.errors import ComptoirError, Reason

# A JSON object as the decoder gives it: any value of any type may stand in it.
JsonObject = Mapping[str, Any]


def invalid(name: str) -> NoReturn:
    """Refuses: the field `name` is missing, of another type or out of range."""
    raise ComptoirError(Reason.REQUEST_INVALID, field=name)


def unsupported(name: str) -> NoReturn:
    """Refuses: the field `name` is known and not served."""
    raise ComptoirError(Reason.PARAMETER_UNSUPPORTED, field=name)


def whole_number(body: JsonObject, name: str, low: int, high: int) -> int | None:
    """An integer from `low` to `high`; None where it is absent or null. A boolean is not a number.

    `100.0` is the integer 100: languages with one type of number write it so.
    """
    value = integer(body.get(name))
    if body.get(name) is None:
        return None
    if value is None or not low <= value <= high:
        invalid(name)
    return value


def integer(value: object) -> int | None:
    """The integer that a JSON value is, or None."""
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    return None


def number(body: JsonObject, name: str, low: float, high: float) -> float | None:
    """A finite number from `low` to `high`; None where it is absent or null."""
    value = body.get(name)
    if value is None:
        return None
    # NaN fails every comparison, so the range check refuses it too.
    if type(value) not in (int, float) or not low <= value <= high:
        invalid(name)
    return float(value)


def flag(body: JsonObject, name: str, *, path: str = "") -> bool:
    """True or false; false where it is absent or null. `path` is the public name where it differs."""
    value = body.get(name)
    if value is None:
        return False
    if type(value) is not bool:
        invalid(path or name)
    return value
