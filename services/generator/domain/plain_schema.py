"""A schema in words that the engine has: those that hold an answer to nothing are gone.

Libraries write more schemas than people do. zod says of a record that its names are strings, and both zod and
pydantic have formats that nobody else knows; by JSON Schema such a format is a note to readers. The engine
would refuse the whole schema for one of them.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from services.generator.domain.look_around_patterns import WITHOUT_LOOKING
from services.kernel.steps import Steps, finished

# Of what stands once in a schema and under several names in the one that is written: as much as a caller may
# send. A few hundred bytes with lists of names within each other would be gigabytes otherwise.
_MOST_COPIED_BYTES: Final = 64 * 1024
# Of a value that is no text, with what stands around it.
_BYTES_OF_VALUE: Final = 8
# Of those within a schema: a millisecond.
SCHEMAS_PER_STEP: Final = 256
# Those that an answer is held to.
FORMATS: Final = frozenset(
    {"date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"}
)
_OF_NAMES: Final = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_OF_LISTS: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
_OF_ONE: Final = (
    "additionalItems",
    "additionalProperties",
    "contains",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
)
_NOTES: Final = frozenset({"$comment", "deprecated", "description", "examples", "title"})
# What says which members an object may have, beside `propertyNames`.
_OF_MEMBERS: Final = frozenset({"patternProperties", "properties", "unevaluatedProperties"})
# The drafts by name are known; this one means the newest.
_NEWEST: Final = "http://json-schema.org/schema"


def simplify(schema: dict[str, Any]) -> None:
    """Does what `simplify_steps` does, at once."""
    finished(simplify_steps(schema))


def simplify_steps(schema: dict[str, Any]) -> Steps[None]:
    """Writes a schema, and those within it, in words that the engine has; what fits it fits what was."""
    definitions = {
        f"#/{place}/{name}": inner
        for place in ("$defs", "definitions")
        if isinstance(named := schema.get(place), dict)
        for name, inner in named.items()
    }
    copies = _Copies()
    if str(schema.get("$schema")).rstrip("#") == _NEWEST:
        del schema["$schema"]
    for number, inner in enumerate(_all_within(schema), 1):
        _simplify_one(inner, definitions, copies)
        if number % SCHEMAS_PER_STEP == 0:
            yield


class _Copies:
    """What may still be copied within one schema."""

    def __init__(self) -> None:
        self._left_bytes = _MOST_COPIED_BYTES

    def take(self, value: Any, copies: int) -> bool:
        """Returns whether a value may be copied so often; nothing more may be behind one that may not."""
        within = [value] if copies > 0 else []
        while within and self._left_bytes > 0:
            each = within.pop()
            if isinstance(each, dict):
                within += each.keys()
                within += each.values()
            elif isinstance(each, list):
                within += each
            self._left_bytes -= copies * (_BYTES_OF_VALUE + (len(each) if isinstance(each, str) else 0))
        return self._left_bytes > 0


def _simplify_one(schema: dict[str, Any], definitions: dict[str, Any], copies: _Copies) -> None:
    # A word of the engine's own library, which would change how every answer is written.
    schema.pop("x-guidance", None)
    form, pattern = schema.get("format"), schema.get("pattern")
    if isinstance(form, str) and form not in FORMATS:
        del schema["format"]
    if isinstance(pattern, str):
        schema["pattern"] = WITHOUT_LOOKING.get(pattern, pattern)
    if schema.get("uniqueItems") is False or (schema.get("uniqueItems") is True and _has_one_item(schema)):
        del schema["uniqueItems"]
    if "propertyNames" in schema:
        _name_members(schema, definitions, copies)
    for name in _OF_NAMES:
        if isinstance(named := schema.get(name), dict):
            # As zod writes what never is.
            named.update({key: False for key, inner in named.items() if _fits_nothing(inner)})


def _has_one_item(schema: dict[str, Any]) -> bool:
    most = schema.get("maxItems")
    return isinstance(most, int) and most <= 1


def _fits_nothing(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.keys() - _NOTES == {"not"} and _fits_everything(schema["not"])


def _fits_everything(schema: Any) -> bool:
    return schema is True or schema == {}


def _name_members(schema: dict[str, Any], definitions: dict[str, Any], copies: _Copies) -> None:
    """Says by name, or by pattern, which members an object may have, where it says how their names are."""
    names = schema["propertyNames"]
    # What stands beside a reference holds names to more.
    is_reference = isinstance(names, dict) and names.keys() - _NOTES == {"$ref"}
    if is_reference and isinstance(names["$ref"], str):
        names = definitions.get(names["$ref"], names)
    if _fits_everything(names):
        del schema["propertyNames"]
        return
    if not isinstance(names, dict):
        return
    said = {word: value for word, value in names.items() if word not in _NOTES}
    # A name is a string, and a format that only a library knows holds it to nothing.
    if said.get("type") == "string":
        del said["type"]
    if isinstance(said.get("format"), str) and said["format"] not in FORMATS:
        del said["format"]
    if not said:
        del schema["propertyNames"]
    elif _OF_MEMBERS.isdisjoint(schema) and said.keys() in ({"enum"}, {"const"}, {"pattern"}):
        _put_members(schema, said, copies)


def _put_members(schema: dict[str, Any], said: dict[str, Any], copies: _Copies) -> None:
    value = schema.get("additionalProperties", True)
    if isinstance(pattern := said.get("pattern"), str):
        schema["patternProperties"] = {pattern: value}
    else:
        listed = said.get("enum", [said.get("const")])
        if not isinstance(listed, list):
            return
        members = {name: value for name in listed if isinstance(name, str)}
        if not copies.take(value, len(members) - 1):
            return
        schema["properties"] = members
    schema["additionalProperties"] = False
    del schema["propertyNames"]


def _all_within(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields a schema and every one within it, inner ones first; what stands in `const` or `enum` is none."""
    inner = schemas_in(schema, _OF_ONE, _OF_NAMES, _OF_LISTS)
    if isinstance(items := schema.get("items"), list):
        inner += [each for each in items if isinstance(each, dict)]
    for each in inner:
        yield from _all_within(each)
    yield schema


def schemas_in(
    schema: dict[str, Any], of_one: Iterable[str], of_names: Iterable[str], of_lists: Iterable[str]
) -> list[dict[str, Any]]:
    """Returns the schemas right within a schema: under words that have one, one for each name, or a list."""
    found: list[Any] = [schema.get(word) for word in of_one]
    for word in of_names:
        if isinstance(named := schema.get(word), dict):
            found += named.values()
    for word in of_lists:
        if isinstance(listed := schema.get(word), list):
            found += listed
    return [each for each in found if isinstance(each, dict)]
