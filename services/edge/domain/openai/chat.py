"""OpenAI's chat request as JSON becomes a ChatRequest, or a refusal that names one parameter.

What is not read here goes nowhere, `metadata`, `user` and `safety_identifier` above all; `known_fields.py`
says which of it is refused.
"""

from dataclasses import dataclass
from typing import Any

from services.edge.domain.generation import GenerationRequest, Message, Role, Sampling
from services.edge.domain.openai.fields import (
    JsonObject,
    flag,
    integer,
    invalid,
    number,
    unsupported,
    whole_number,
)
from services.edge.domain.openai.known_fields import (
    NEUTRAL,
    NEUTRAL_IN_MESSAGE,
    NEUTRAL_IN_STREAM_OPTIONS,
    refuse_unsupported,
)

MAX_MESSAGES = 1024
MAX_PARTS = 1024
MAX_NAME_CHARACTERS = 256
MAX_OUTPUT_TOKENS = 1_048_576
MAX_STOP_STRINGS = 4
MAX_STOP_BYTES = 256
# OpenAI takes a nucleus of 0; engines want more than that. This much keeps the likeliest token alone.
SMALLEST_TOP_P = 1e-6

_ROLES = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
}
_KNOWN_OTHER_ROLES = ("tool", "function")
_KNOWN_OTHER_PARTS = ("image_url", "input_audio", "file", "refusal")
# What clients send for an answer of any length.
_NO_LIMIT = (-1, 0)


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a chat asks a replica for, and how its answer is written."""

    generation: GenerationRequest
    includes_usage: bool = False


def parse_chat(body: object) -> ChatRequest:
    """Returns the chat that `body`, any decoded JSON, asks for.

    Raises ComptoirError with REQUEST_INVALID or PARAMETER_UNSUPPORTED and a name of `parameters`.
    """
    if not isinstance(body, dict):
        invalid("")
    refuse_unsupported(body, NEUTRAL)
    is_streamed = flag(body, "stream")
    generation = GenerationRequest(
        model=_model(body), messages=_messages(body), sampling=_sampling(body), is_streamed=is_streamed
    )
    return ChatRequest(generation, includes_usage=_includes_usage(body, is_streamed=is_streamed))


def _model(body: JsonObject) -> str:
    model = body.get("model")
    if not isinstance(model, str) or not 1 <= len(model) <= MAX_NAME_CHARACTERS:
        invalid("model")
    return model


def _messages(body: JsonObject) -> tuple[Message, ...]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not 1 <= len(messages) <= MAX_MESSAGES:
        invalid("messages")
    return tuple(_message(message, f"messages[{index}]") for index, message in enumerate(messages))


def _message(message: object, path: str) -> Message:
    if not isinstance(message, dict):
        invalid(path)
    role = message.get("role")
    if role in _KNOWN_OTHER_ROLES:
        unsupported(f"{path}.role")
    if not isinstance(role, str) or role not in _ROLES:
        invalid(f"{path}.role")
    refuse_unsupported(message, NEUTRAL_IN_MESSAGE, f"{path}.")
    return _spoken(_ROLES[role], message.get("content"), f"{path}.content")


def _spoken(role: Role, content: object, path: str) -> Message:
    if isinstance(content, str):
        return Message(role, content)
    if content is None and role is Role.ASSISTANT:
        return Message(role, "")
    if not isinstance(content, list) or len(content) > MAX_PARTS:
        invalid(path)
    return Message.of_parts(role, tuple(_part(part, path) for part in content))


def _part(part: object, path: str) -> str:
    if not isinstance(part, dict):
        invalid(path)
    kind, text = part.get("type"), part.get("text")
    if kind in _KNOWN_OTHER_PARTS:
        unsupported(path)
    if kind != "text" or not isinstance(text, str):
        invalid(path)
    return text


def _sampling(body: JsonObject) -> Sampling:
    limits = [_output_limit(body, name) for name in ("max_completion_tokens", "max_tokens")]
    top_p = number(body, "top_p", 0, 1)
    return Sampling(
        max_output_tokens=min(filter(None, limits), default=0),
        temperature=number(body, "temperature", 0, 2),
        top_p=None if top_p is None else max(top_p, SMALLEST_TOP_P),
        presence_penalty=number(body, "presence_penalty", -2, 2) or 0.0,
        frequency_penalty=number(body, "frequency_penalty", -2, 2) or 0.0,
        seed=whole_number(body, "seed", -(2**63), 2**63 - 1),
        stop=_stop(body.get("stop")),
    )


def _output_limit(body: JsonObject, name: str) -> int:
    """The most output tokens, 0 for no limit; too many are cut here and, to what fits, by the router."""
    limit = integer(body.get(name))
    if body.get(name) is None or limit in _NO_LIMIT:
        return 0
    if limit is None or limit < 1:
        invalid(name)
    return min(limit, MAX_OUTPUT_TOKENS)


def _stop(value: Any) -> tuple[str, ...]:  # a JSON value of any type
    if value is None:
        return ()
    strings = [value] if isinstance(value, str) else value
    if not isinstance(strings, list) or len(strings) > MAX_STOP_STRINGS:
        invalid("stop")
    for string in strings:
        if not isinstance(string, str) or not 1 <= len(string.encode()) <= MAX_STOP_BYTES:
            invalid("stop")
    return tuple(strings)


def _includes_usage(body: JsonObject, *, is_streamed: bool) -> bool:
    options = body.get("stream_options")
    if options is None:
        return False
    if not is_streamed or not isinstance(options, dict):
        invalid("stream_options")
    refuse_unsupported(options, NEUTRAL_IN_STREAM_OPTIONS, "stream_options.")
    return flag(options, "include_usage", path="stream_options.include_usage")
