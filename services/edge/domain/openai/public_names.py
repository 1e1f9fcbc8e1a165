"""The names of request parameters that an answer may repeat, and what each must be."""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, get_args, get_origin, get_type_hints

from msgspec import Meta, Struct

from services.edge.domain.openai.chat.body import ChatBody
from services.edge.domain.openai.completions.body import CompletionBody
from services.edge.domain.openai.completions.parameters import COMPLETION_NEUTRAL
from services.edge.domain.openai.counts.bodies import (
    INPUT_TOKENS_NEUTRAL,
    TOKENIZE_NEUTRAL,
    InputTokensBody,
    TokenizeBody,
)
from services.edge.domain.openai.embeddings.body import EMBEDDING_NEUTRAL, EmbeddingBody
from services.edge.domain.openai.parameters import (
    NEUTRAL,
    NEUTRAL_IN_MESSAGE,
    NEUTRAL_IN_STREAM_OPTIONS,
    words_of,
)
from services.edge.domain.openai.priority import PRIORITY_WORDS
from services.edge.domain.openai.responses.body import ResponsesBody
from services.edge.domain.openai.responses.parameters import (
    NEUTRAL_IN_REASONING,
    RESPONSES_NEUTRAL,
)
from services.edge.domain.openai.schema_words import keywords_of
from services.edge.domain.openai.structured import NEUTRAL_IN_STRUCTURED_OUTPUTS
from services.edge.domain.timeline import Endpoint
from services.kernel.errors import ComptoirError, Reason


def _described(hint: Any, path: str) -> Iterator[tuple[str, str]]:  # a type, as `get_type_hints` gives it
    """Yields the path and the description of each type within `hint` that has one."""
    for meta in getattr(hint, "__metadata__", ()):
        if isinstance(meta, Meta) and meta.description:
            yield path, meta.description
    if isinstance(hint, type) and issubclass(hint, Struct):
        for name, inner in get_type_hints(hint, include_extras=True).items():
            yield from _described(inner, f"{path}.{name}".removeprefix("."))
    for inner in get_args(hint):
        yield from _described(inner, f"{path}[]" if get_origin(hint) is list else path)


_SCHEMA: Final = "response_format.json_schema.schema"
# Where others than OpenAI have it.
_SHORT_SCHEMA: Final = "response_format.schema"
_PARAMETERS: Final = "tools[].function.parameters"
_OLDER_PARAMETERS: Final = "functions[].parameters"
# Those of Responses.
_TEXT_SCHEMA: Final = "text.format.schema"
_FLAT_PARAMETERS: Final = "tools[].parameters"
# That of completions.
_JSON: Final = "structured_outputs.json"

# The only parameter names that ever leave the edge; an index of a message or a part stands as [].
EXPECTED: Final = MappingProxyType(
    dict(_described(ChatBody, ""))
    | words_of(NEUTRAL)
    | words_of(NEUTRAL_IN_MESSAGE, "messages[].")
    | words_of(NEUTRAL_IN_STREAM_OPTIONS, "stream_options.")
    | words_of(NEUTRAL_IN_STRUCTURED_OUTPUTS, "structured_outputs.")
    | keywords_of(_SCHEMA, _SHORT_SCHEMA, _PARAMETERS, _OLDER_PARAMETERS)
)
_CHAT: Final = MappingProxyType({**EXPECTED, **PRIORITY_WORDS})

_COMPLETION: Final = MappingProxyType(
    dict(_described(CompletionBody, ""))
    | words_of(COMPLETION_NEUTRAL)
    | words_of(NEUTRAL_IN_STREAM_OPTIONS, "stream_options.")
    | words_of(NEUTRAL_IN_STRUCTURED_OUTPUTS, "structured_outputs.")
    | keywords_of(_JSON)
    | PRIORITY_WORDS
)
_TOKENIZE: Final = MappingProxyType(
    dict(_described(TokenizeBody, ""))
    | words_of(TOKENIZE_NEUTRAL)
    | words_of(NEUTRAL_IN_MESSAGE, "messages[].")
)
_INPUT_TOKENS: Final = MappingProxyType(
    dict(_described(InputTokensBody, ""))
    | words_of(INPUT_TOKENS_NEUTRAL)
    | words_of(NEUTRAL_IN_REASONING, "reasoning.")
)
_RESPONSES: Final = MappingProxyType(
    dict(_described(ResponsesBody, ""))
    | words_of(RESPONSES_NEUTRAL)
    | words_of(NEUTRAL_IN_REASONING, "reasoning.")
    | keywords_of(_TEXT_SCHEMA, _FLAT_PARAMETERS)
    | PRIORITY_WORDS
    # A response is one answer.
    | {"n": "absent or 1"}
)
_EMBEDDINGS: Final = MappingProxyType(dict(_described(EmbeddingBody, "")) | words_of(EMBEDDING_NEUTRAL))
_OF_ENDPOINT: Final = MappingProxyType(
    {
        Endpoint.EMBEDDINGS: _EMBEDDINGS,
        Endpoint.COMPLETIONS: _COMPLETION,
        Endpoint.TOKENIZE: _TOKENIZE,
        Endpoint.INPUT_TOKENS: _INPUT_TOKENS,
        Endpoint.RESPONSES: _RESPONSES,
    }
)
# A completion's own words for what the other processes, and `from_schema`, call as a chat does.
_COMPLETION_NAMES: Final = MappingProxyType({"messages": "prompt", "max_completion_tokens": "max_tokens"})
_OWN_NAMES: Final = MappingProxyType(
    {
        Endpoint.COMPLETIONS: _COMPLETION_NAMES,
        Endpoint.EMBEDDINGS: {"messages": "input"},
        Endpoint.INPUT_TOKENS: {"messages": "input"},
        Endpoint.RESPONSES: {"messages": "input", "max_completion_tokens": "max_output_tokens"},
    }
)

# How the other processes' schemas spell what a client of the edge sent; sampling parameters have one name.
_FROM_SCHEMA: Final = MappingProxyType(
    {
        "max_output_tokens": "max_completion_tokens",
        "prompt_tokens_upper_bound": "messages",
        "messages.text": "messages",
        "messages.parts": "messages",
        "messages.role": "messages",
        "prompt.text": "prompt",
        "text": "prompt",
        "prompt.token_ids.ids": "prompt",
        "structure.pattern": "structured_outputs.regex",
        "structure.texts": "structured_outputs",
        "structure": "structured_outputs",
        "template.reasoning_effort": "reasoning_effort",
        "template.arguments": "chat_template_kwargs",
    }
)
_STRUCTURE: Final = "structure.json_schema"
_OWN_SCHEMA: Final = MappingProxyType({Endpoint.RESPONSES: _TEXT_SCHEMA, Endpoint.COMPLETIONS: _JSON})
_INDEX: Final = re.compile(r"\[[0-9]{1,4}\]")
# What vectors are asked for, whichever of its fields is at fault.
_INPUT: Final = re.compile(r"inputs(\[[0-9]{1,4}\])?(?:\.|\Z)")


def from_schema(field: str) -> str:
    """Returns the parameter as a client spells it, for a field of another process's schema."""
    name = field.removeprefix("sampling.")
    if name.startswith(_STRUCTURE):
        return _SCHEMA + name.removeprefix(_STRUCTURE)
    # Of a tool alone: no other field of a replica's schema has such a name.
    name = name.replace("].parameters_schema", "].function.parameters")
    if (found := _INPUT.match(name)) is not None:
        return f"input{found[1] or ''}"
    return _FROM_SCHEMA.get(name, name)


def is_public(name: str) -> bool:
    """Returns whether `name` is a parameter as a client spells it."""
    listed = _listed(name)
    return listed in EXPECTED or any(listed in names for names in _OF_ENDPOINT.values())


def name_for(error: ComptoirError, endpoint: Endpoint) -> str | None:
    """Returns what an error is about as the clients of the endpoint spell it; None for no public name."""
    name = error.reason.row.param or error.field
    if endpoint is Endpoint.TOKENIZE and error.field == "prompt":
        # It takes messages as well, and what is too long is what was sent.
        name = error.field
    if endpoint is Endpoint.EMBEDDINGS and _listed(error.field) in _EMBEDDINGS:
        # Which one of several inputs is too long.
        name = error.field
    # What is known and not served is named as it was sent.
    if error.reason is not Reason.PARAMETER_UNSUPPORTED:
        name = _OWN_NAMES.get(endpoint, {}).get(name, name)
    if name.startswith(_SCHEMA):
        name = _OWN_SCHEMA.get(endpoint, _SCHEMA) + name.removeprefix(_SCHEMA)
    return name if _listed(name) in _expected(endpoint) else None


def expectation(name: str, endpoint: Endpoint) -> str:
    """Returns what the parameter `name`, a public name of the endpoint, must be."""
    return _expected(endpoint)[_listed(name)]


def _expected(endpoint: Endpoint) -> Mapping[str, str]:
    return _OF_ENDPOINT.get(endpoint, _CHAT)


def _listed(name: str) -> str:
    return _INDEX.sub("[]", name)
