"""The names of request parameters that an answer may repeat, and what each must be."""

import re
from types import MappingProxyType

from services.edge.domain.openai.known_fields import (
    NEUTRAL,
    NEUTRAL_IN_MESSAGE,
    NEUTRAL_IN_STREAM_OPTIONS,
    words_of,
)

_MAX_TOKENS = "a whole number from 1; -1, 0 and null set no limit"
# The only parameter names that ever leave the edge; an index of a message or a part stands as [].
EXPECTED = MappingProxyType(
    {
        "model": "the name of a model, of 1 to 256 characters",
        "messages": "a list of 1 to 1024 messages",
        "messages[]": "an object with a role and a content",
        "messages[].role": "one of system, developer, user and assistant",
        "messages[].content": "a string, or a list of up to 1024 parts of type text",
        "max_tokens": _MAX_TOKENS,
        "max_completion_tokens": _MAX_TOKENS,
        "temperature": "a number from 0 to 2",
        "top_p": "a number from 0 to 1",
        "presence_penalty": "a number from -2 to 2",
        "frequency_penalty": "a number from -2 to 2",
        "seed": "a whole number from -9223372036854775808 to 9223372036854775807",
        "stop": "a string, or a list of up to 4 strings, each of 1 to 256 bytes",
        "stream": "true or false",
        "stream_options": "an object, and only where stream is true",
        "stream_options.include_usage": "true or false",
    }
    | words_of(NEUTRAL)
    | words_of(NEUTRAL_IN_MESSAGE, "messages[].")
    | words_of(NEUTRAL_IN_STREAM_OPTIONS, "stream_options.")
)

# How the other processes' schemas spell what a client of the edge sent.
_FROM_SCHEMA = MappingProxyType(
    {
        "max_output_tokens": "max_completion_tokens",
        "sampling.max_output_tokens": "max_completion_tokens",
        "sampling.temperature": "temperature",
        "sampling.top_p": "top_p",
        "sampling.presence_penalty": "presence_penalty",
        "sampling.frequency_penalty": "frequency_penalty",
        "sampling.stop": "stop",
        "prompt_tokens_upper_bound": "messages",
        "messages.text": "messages",
        "messages.parts": "messages",
        "messages.role": "messages",
    }
)
_INDEX = re.compile(r"\[[0-9]{1,4}\]")


def public_name(field: str) -> str | None:
    """The parameter as a client spells it, or None for a name that is not on the list."""
    name = _FROM_SCHEMA.get(field, field)
    return name if is_public(name) else None


def is_public(name: str) -> bool:
    """Returns whether `name` is a parameter as a client spells it."""
    return _listed(name) in EXPECTED


def expectation(name: str) -> str:
    """What the parameter `name`, a public name, must be."""
    return EXPECTED[_listed(name)]


def _listed(name: str) -> str:
    return _INDEX.sub("[]", name)
