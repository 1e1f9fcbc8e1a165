"""A schema in which an object that says nothing of further members has none."""

import json
from typing import Any, Final

from services.generator.domain.structure import refused

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
_OF_NAMES: Final = ("properties", "patternProperties", "$defs", "definitions")
_OF_LISTS: Final = ("anyOf", "prefixItems")
_OF_ONE: Final = ("items", "additionalProperties", "propertyNames")


def closed(schema: str, field: str) -> str:
    """Returns a schema, as JSON, whose objects have the members that they name and no others.

    Otherwise a model that is held to it may add members until its answer is cut. What says
    `additionalProperties` itself, and a schema that puts others together, stays as it is. Raises
    PARAMETER_UNSUPPORTED, with `field`, for what is no JSON object.
    """
    try:
        parsed = json.loads(schema)
        if isinstance(parsed, dict) and not _combines(parsed):
            _close(parsed)
        written = json.dumps(parsed, ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        raise refused(field=field) from None
    if not isinstance(parsed, dict):
        raise refused(field=field)
    return written


def _combines(schema: dict[str, Any]) -> bool:
    has_others = "properties" in schema and ("$ref" in schema or "anyOf" in schema)
    is_combined = has_others or not _COMBINING.isdisjoint(schema)
    return is_combined or any(_combines(inner) for inner in _inner(schema))


def _close(schema: dict[str, Any]) -> None:
    if "properties" in schema and "patternProperties" not in schema:
        schema.setdefault("additionalProperties", False)
    for inner in _inner(schema):
        _close(inner)


def _inner(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the schemas within a schema; what stands in `const`, `enum` or `default` is none."""
    found: list[Any] = [schema.get(name) for name in _OF_ONE]
    for name in _OF_NAMES:
        if isinstance(named := schema.get(name), dict):
            found += named.values()
    for name in _OF_LISTS:
        if isinstance(listed := schema.get(name), list):
            found += listed
    return [inner for inner in found if isinstance(inner, dict)]
