"""Decoded JSON becomes a body by its types, or a refusal that names one parameter."""

import functools
import re
from typing import Final, TypeVar, get_args, get_type_hints

from msgspec import Struct, ValidationError, convert

from services.edge.domain.openai.public_names import is_public
from services.edge.domain.openai.refusals import JsonObject
from services.kernel.errors import ComptoirError, Reason

AnyBody = TypeVar("AnyBody", bound=Struct)
# "… - at `$.stop[...]`", and for a key "… - at `key` in `$.logit_bias`".
_PLACE: Final = re.compile(r"`\$\.?([^`]*)`\Z")
_LEAST: Final = -(2**63)


def converted(value: JsonObject, to: type[AnyBody]) -> AnyBody:
    """Returns `value` as a body; raises REQUEST_INVALID with the public name of what breaks a rule."""
    try:
        # Keys of JSON objects are strings, those of `logit_bias` numbers.
        return convert(_with_whole_numbers(value, to), to, str_keys=True)
    except ValidationError as error:
        name = _named(error)
    # Outside of the handler: the validation's error may hold a value, so it is no context of the refusal.
    raise ComptoirError(Reason.REQUEST_INVALID, field=name)


def _with_whole_numbers(value: JsonObject, to: type[Struct]) -> JsonObject:
    """Writes `100.0` as 100, which languages with one type of number mean and msgspec does not take."""
    floats = [name for name in _whole_numbers(to) if type(value.get(name)) is float]
    return {**value, **{name: _whole(value[name]) for name in floats if value[name].is_integer()}}


def _whole(number: float) -> int:
    # The decoder reads whole numbers below 64 bits as floats, which may round to the least of 64 bits again.
    return int(number) - (number <= _LEAST)


@functools.cache
def _whole_numbers(of: type[Struct]) -> tuple[str, ...]:
    return tuple(name for name, hint in get_type_hints(of).items() if int in get_args(hint))


def _named(error: ValidationError) -> str:
    """Returns the longest public name on the path at the end of a message, whose other words are not read."""
    place = _PLACE.search(str(error))
    name = "" if place is None else place[1]
    while name and not is_public(name):
        name = name[: max(name.rfind("."), name.rfind("["), 0)]
    return name
