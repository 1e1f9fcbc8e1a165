"""A schema in plain words, in which an object that says nothing of further members has none."""

import json
from typing import Any, Final

from services.generator.domain.calendar_formats import narrow
from services.generator.domain.plain_schema import SCHEMAS_PER_STEP, schemas_in, simplify_steps
from services.generator.domain.structure import refused
from services.kernel.steps import Steps, finished

# Where a schema puts others together, what one says nothing of may be another's.
_COMBINING: Final = frozenset(
    {
        "allOf",
        "contains",
        "dependentSchemas",
        "dependencies",
        "else",
        "if",
        "not",
        "oneOf",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
# What walks through a schema calls itself.
_MOST_LEVELS: Final = 128
_OF_NAMES: Final = ("properties", "patternProperties", "$defs", "definitions")
_OF_LISTS: Final = ("anyOf", "prefixItems")
_OF_ONE: Final = ("items", "additionalProperties", "propertyNames")


def closed(schema: str, field: str) -> str:
    """Returns what `closed_steps` does, at once."""
    return finished(closed_steps(schema, field))


def closed_steps(schema: str, field: str) -> Steps[str]:
    """Returns a schema, as JSON, whose objects have the members that they name and no others.

    Otherwise a model that is held to it may add members until its answer is cut. What says
    `additionalProperties` itself, and a schema that puts others together, stays as it is. Raises
    PARAMETER_UNSUPPORTED, with `field`, for what is no JSON object.
    """
    parsed = _object(schema)
    if parsed is not None:
        yield from simplify_steps(parsed)
        yield from _close_steps(parsed)
    text = None if parsed is None else _text(parsed)
    if text is None:
        raise refused(field=field)
    return text


def is_object(text: str) -> bool:
    """Returns whether a text is a JSON object that can be written again: all of it text, and not too deep."""
    value = _object(text)
    return value is not None and _text(value) is not None


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and _depth_is_bounded(value) else None


def _text(value: dict[str, Any]) -> str | None:
    """Returns an object as JSON; None where half of a surrogate pair is in it, which escaped is no text."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        return None
    return text


def _depth_is_bounded(value: Any) -> bool:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > _MOST_LEVELS:
            return False
        inner = [each.values() if isinstance(each, dict) else each for each in level]
        level = [each for values in inner for each in values if isinstance(each, dict | list)]
    return True


def _close_steps(schema: dict[str, Any]) -> Steps[None]:
    """Closes a schema and those within it, unless one of them puts others together."""
    found = [schema]
    # It grows meanwhile.
    for number, each in enumerate(found, 1):
        if _combines(each):
            return
        # What stands in `const`, `enum` or `default` is no schema.
        found += schemas_in(each, _OF_ONE, _OF_NAMES, _OF_LISTS)
        if number % SCHEMAS_PER_STEP == 0:
            yield
    for number, each in enumerate(found, 1):
        if "properties" in each and "patternProperties" not in each:
            each.setdefault("additionalProperties", False)
        narrow(each)
        if number % SCHEMAS_PER_STEP == 0:
            yield


def _combines(schema: dict[str, Any]) -> bool:
    has_others = "properties" in schema and ("$ref" in schema or "anyOf" in schema)
    return has_others or not _COMBINING.isdisjoint(schema)
