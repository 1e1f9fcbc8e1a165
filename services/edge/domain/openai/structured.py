"""What an answer must be as vLLM's requests say it, beside OpenAI's `response_format`."""

from types import MappingProxyType
from typing import Annotated, Any, Final, Protocol, TypeAlias

from msgspec import DecodeError, Meta, Struct
from msgspec.json import Decoder

from services.edge.domain.body_faults import BodyError
from services.edge.domain.generation import Form
from services.edge.domain.openai.parameters import Neutral, refuse_unsupported
from services.edge.domain.openai.refusals import JsonObject, invalid
from services.edge.domain.openai.tools.bodies import MAX_SCHEMA_BYTES, SCHEMA_WORDS
from services.edge.domain.openai.tools.request import schema_text
from services.edge.domain.structure import check_count, check_shape, outside_strings

ANY_OBJECT: Final = '{"type":"object"}'
_MAX_TEXTS: Final = 1024
_MAX_PATTERN_BYTES: Final = 4096
_OBJECT: Final = Decoder(dict[str, Any])

Schema: TypeAlias = Annotated[
    dict[str, Any] | str, Meta(description=f"{SCHEMA_WORDS}, an object or its text")
]
Texts: TypeAlias = Annotated[
    list[str],
    Meta(
        max_length=_MAX_TEXTS,
        description=f"a list of up to {_MAX_TEXTS} texts, none of them empty, of up to {MAX_SCHEMA_BYTES} "
        "bytes together",
    ),
]
Pattern: TypeAlias = Annotated[
    str,
    Meta(
        description=f"a regular expression of up to {_MAX_PATTERN_BYTES} bytes for the whole answer, without "
        "look-around, references to groups and word boundaries"
    ),
]


class StructuredOutputs(Struct, frozen=True):
    """One thing that the answer must be."""

    json: Schema | None = None
    choice: Texts | None = None
    regex: Pattern | None = None
    json_object: Annotated[bool, Meta(description="true or false")] | None = None


StructuredForm: TypeAlias = Annotated[
    StructuredOutputs,
    Meta(
        description="an object with one of json, choice, regex and json_object, and that alone says what the "
        "answer must be"
    ),
]


class StructuredBody(Protocol):
    """The fields of a body that say it, by vLLM's word of today and by its earlier ones."""

    @property
    def structured_outputs(self) -> StructuredOutputs | None:
        """One thing that the answer must be."""

    @property
    def guided_json(self) -> dict[str, Any] | str | None:
        """A schema, or its text."""

    @property
    def guided_choice(self) -> list[str] | None:
        """Texts, of which the answer is one."""

    @property
    def guided_regex(self) -> str | None:
        """What the whole answer matches."""


_EMPTY: Final = Neutral(("", {}, []), "absent or empty")
NEUTRAL_IN_STRUCTURED_OUTPUTS: Final = MappingProxyType(
    {
        "grammar": _EMPTY,
        "structural_tag": _EMPTY,
        "whitespace_pattern": _EMPTY,
        "disable_additional_properties": Neutral((False,), "absent or false"),
        # There is none in any case.
        "disable_any_whitespace": Neutral((True, False), "absent, true or false"),
    }
)


def form_of(value: JsonObject, body: StructuredBody, json_schema: str = "") -> Form:
    """Returns the form that a body asks for, where `json_schema` is what its response_format says.

    Raises REQUEST_INVALID for two of them, PARAMETER_UNSUPPORTED for a kind that is not served.
    """
    refuse_unsupported(
        value.get("structured_outputs") or {}, NEUTRAL_IN_STRUCTURED_OUTPUTS, "structured_outputs."
    )
    told = body.structured_outputs or StructuredOutputs()
    forms = [
        Form(json_schema),
        Form(_schema(told.json, "structured_outputs.json")),
        Form(ANY_OBJECT if told.json_object else ""),
        Form(texts=_texts(told.choice, "structured_outputs.choice")),
        Form(pattern=_pattern(told.regex, "structured_outputs.regex")),
        Form(_schema(body.guided_json, "guided_json")),
        Form(texts=_texts(body.guided_choice, "guided_choice")),
        Form(pattern=_pattern(body.guided_regex, "guided_regex")),
    ]
    asked = [form for form in forms if form != Form()]
    if len(asked) > 1:
        invalid("structured_outputs")
    return asked[0] if asked else Form()


def _schema(schema: dict[str, Any] | str | None, name: str) -> str:
    if isinstance(schema, str) and schema:
        schema = _parsed(schema, name)
    return schema_text(schema, name) if isinstance(schema, dict) and schema else ""


def _parsed(text: str, name: str) -> dict[str, Any]:
    document = text.encode()
    if len(document) > MAX_SCHEMA_BYTES:
        invalid(name)
    try:
        outside = outside_strings(document)
        check_count(outside)
        parsed: dict[str, Any] = _OBJECT.decode(document)
        check_shape(parsed, outside)
    except (BodyError, DecodeError, RecursionError):
        invalid(name)
    return parsed


def _texts(texts: list[str] | None, name: str) -> tuple[str, ...]:
    if not all(texts or ()) or sum(len(text.encode()) for text in texts or ()) > MAX_SCHEMA_BYTES:
        invalid(name)
    return tuple(dict.fromkeys(texts or ()))


def _pattern(pattern: str | None, name: str) -> str:
    return invalid(name) if pattern and len(pattern.encode()) > _MAX_PATTERN_BYTES else pattern or ""
