"""What a keyword of a JSON schema must be, where the one that was sent cannot be seen to."""

from types import MappingProxyType
from typing import Final

from services.contract.json_schema import KEYWORDS

_NUMBER: Final = "a number"
_SIZE: Final = "a whole number from 0"
_SCHEMAS: Final = "a list of schemas"
# What is served, and was not written so; the others are not served.
_SERVED: Final = MappingProxyType(
    {
        "$ref": "a pointer to a schema within this one, such as #/$defs/name",
        "allOf": _SCHEMAS,
        "anyOf": _SCHEMAS,
        "enum": "a list of values",
        "exclusiveMaximum": _NUMBER,
        "exclusiveMinimum": _NUMBER,
        "format": "a string",
        "maxItems": _SIZE,
        "maxLength": _SIZE,
        "maxProperties": _SIZE,
        "maximum": _NUMBER,
        "minItems": _SIZE,
        "minLength": _SIZE,
        "minProperties": _SIZE,
        "minimum": _NUMBER,
        "multipleOf": "a number above 0",
        "oneOf": "a list of schemas of which no value fits two; anyOf has no such condition",
        "pattern": "a regular expression without look-around, references to groups and word boundaries",
        "patternProperties": "an object of schemas by regular expressions",
        "prefixItems": _SCHEMAS,
        "properties": "an object of schemas by names",
        "required": "a list of names",
        "type": "one of string, number, integer, boolean, object, array and null, or a list of these",
    }
)
KEYWORD_WORDS: Final = MappingProxyType(
    {keyword: _SERVED.get(keyword, "absent from the schema") for keyword in sorted(KEYWORDS)}
)


def keywords_of(*schemas: str) -> dict[str, str]:
    """Returns each keyword by its path below each of the schemas' names, wherever in them it stands."""
    return {f"{schema}.{keyword}": words for schema in schemas for keyword, words in KEYWORD_WORDS.items()}
