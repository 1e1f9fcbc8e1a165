"""OpenAI's chat request as JSON becomes a ChatRequest, or a refusal that names one parameter.

What is not read here goes nowhere, `metadata`, `user` and `safety_identifier` above all; `parameters.py`
says which of it is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Final

from services.edge.domain.generation import GenerationRequest, Message, Role, SamplingValue
from services.edge.domain.openai.chat.body import (
    ChatBody,
    ChatMessage,
    ContentPart,
    ResponseFormat,
    StreamOptions,
)
from services.edge.domain.openai.conversion import converted
from services.edge.domain.openai.parameters import (
    MAX_LOGPROBS,
    NEUTRAL,
    NEUTRAL_IN_MESSAGE,
    NEUTRAL_IN_STREAM_OPTIONS,
    SamplingParameters,
    refuse_unsupported,
)
from services.edge.domain.openai.refusals import invalid, unsupported
from services.edge.domain.openai.structured import ANY_OBJECT, form_of
from services.edge.domain.openai.thinking import names_as_sent, template_arguments, thinking_budget
from services.edge.domain.openai.tools.functions import (
    OlderCalls,
    check_alone,
    named_in_older_words,
    older_tool_steps,
)
from services.edge.domain.openai.tools.request import calls_steps, schema_text, tool_steps
from services.edge.domain.tools import ToolCall, Tools
from services.kernel.steps import Steps, finished

MAX_OUTPUT_TOKENS: Final = 1_048_576
MAX_STOP_STRINGS: Final = 4
MAX_STOP_BYTES: Final = 256
# OpenAI takes a nucleus of 0; engines want more than that. This much keeps the likeliest token alone.
SMALLEST_TOP_P: Final = 1e-6
_SCHEMA: Final = "response_format.json_schema.schema"
_SHORT_SCHEMA: Final = "response_format.schema"
# Of messages, with their parts and calls: about a millisecond.
_PIECES_PER_STEP: Final = 384

_sampling_values: Final = attrgetter(*SamplingParameters.__struct_fields__)
_TEXTS: Final = ("text", "input_text", "output_text", "refusal")
_ROLES: Final = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "tool": Role.TOOL,
    "function": Role.TOOL,
}


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a chat asks a replica for, and how its answer is written.

    `names_as_sent` are the chat's own names for what a replica refuses by others. Where tools came as
    `functions`, the answer calls them in the same words.
    """

    generation: GenerationRequest
    includes_usage: bool = False
    includes_reasoning: bool = True
    service_tier: str | None = None
    names_as_sent: Mapping[str, str] = field(default_factory=dict)
    has_functions: bool = False


def parse_chat(value: object) -> ChatRequest:
    """Returns what `chat_steps` does, at once."""
    return finished(chat_steps(value))


def chat_steps(value: object) -> Steps[ChatRequest]:
    """Returns the chat that `value`, any decoded JSON, asks for.

    Raises ComptoirError with REQUEST_INVALID or PARAMETER_UNSUPPORTED and a public name.
    """
    if not isinstance(value, dict):
        invalid("")
    refuse_unsupported(value, NEUTRAL)
    yield
    body = converted(value, ChatBody)
    yield
    for index, message in enumerate(value["messages"] if body.messages else ()):
        refuse_unsupported(message, NEUTRAL_IN_MESSAGE, f"messages[{index}].")
    refuse_unsupported(value.get("stream_options") or {}, NEUTRAL_IN_STREAM_OPTIONS, "stream_options.")
    yield
    messages = yield from _message_steps(body.messages or invalid("messages"))
    yield
    generation = GenerationRequest(
        model=body.model or "",
        messages=messages,
        max_output_tokens=_max_output_tokens(body),
        sampling=sampling_of(body) | thinking_budget(body) | _logprobs(body),
        is_streamed=bool(body.stream),
        form=form_of(value, body, _json_schema(body.response_format)),
        tools=(yield from _tool_steps(body)),
        reasoning_effort=body.reasoning_effort or "",
        template_arguments=template_arguments(body.chat_template_kwargs, body.enable_thinking),
    )
    return ChatRequest(
        generation,
        includes_usage=includes_usage(body.stream, body.stream_options),
        includes_reasoning=body.include_reasoning is not False,
        service_tier=body.service_tier,
        names_as_sent={**names_as_sent(body), **_schema_as_sent(body.response_format)},
        has_functions=bool(body.functions),
    )


def named_as_sent(names: Mapping[str, str], name: str, *, has_functions: bool) -> str:
    """Returns a request's own name for what the other processes refuse by another."""
    for other, as_sent in names.items():
        if name == other or name.startswith(f"{other}."):
            name = as_sent + name.removeprefix(other)
    return named_in_older_words(name) if has_functions else name


def sampling_of(body: SamplingParameters) -> dict[str, SamplingValue]:
    """Returns what a body says of sampling, without what it leaves to the engine."""
    values = zip(SamplingParameters.__struct_fields__, _sampling_values(body), strict=True)
    sampling = {name: value for name, value in values if value is not None}
    if body.top_p is not None:
        sampling["top_p"] = max(body.top_p, SMALLEST_TOP_P)
    if body.stop_token_ids is not None:
        sampling["stop_token_ids"] = tuple(body.stop_token_ids)
    if body.stop is not None:
        sampling["stop"] = _stop([body.stop] if isinstance(body.stop, str) else body.stop)
    return sampling


def _logprobs(body: ChatBody) -> dict[str, SamplingValue]:
    if not body.logprobs:
        return invalid("top_logprobs") if body.top_logprobs else {}
    likeliest = body.top_logprobs or 0
    if (body.n or 1) * (1 + likeliest) > MAX_LOGPROBS:
        invalid("top_logprobs")
    return {"logprobs": likeliest}


def _json_schema(form: ResponseFormat | None) -> str:
    """Returns the schema that the answer must fit, as JSON; empty for any text."""
    if form is None or form.type == "text":
        return ""
    if form.schema:
        if form.json_schema is not None:
            invalid(_SHORT_SCHEMA)
        return schema_text(form.schema, _SHORT_SCHEMA)
    if form.type == "json_object":
        return ANY_OBJECT
    if form.json_schema is None:
        invalid("response_format.json_schema")
    if form.json_schema.name is None:
        invalid("response_format.json_schema.name")
    if form.json_schema.schema is None:
        return ANY_OBJECT
    return schema_text(form.json_schema.schema, _SCHEMA)


def _schema_as_sent(form: ResponseFormat | None) -> dict[str, str]:
    """Returns the name of a schema that does not stand where OpenAI has it."""
    return {_SCHEMA: _SHORT_SCHEMA} if form is not None and form.schema else {}


def _tool_steps(body: ChatBody) -> Steps[Tools | None]:
    check_alone(
        has_tools=bool(body.tools),
        tool_choice=body.tool_choice,
        has_functions=bool(body.functions),
        function_call=body.function_call,
    )
    if body.functions:
        return (yield from older_tool_steps(body.functions, body.function_call))
    is_parallel = body.parallel_tool_calls is not False
    return (yield from tool_steps(body.tools, body.tool_choice, is_parallel=is_parallel))


def _message_steps(messages: Sequence[ChatMessage]) -> Steps[tuple[Message, ...]]:
    read = []
    older = OlderCalls()
    pieces = 0
    for index, message in enumerate(messages):
        parts = len(message.content) if isinstance(message.content, list) else 1
        pieces += parts + len(message.tool_calls or ())
        if pieces > _PIECES_PER_STEP:
            pieces = 0
            yield
        read.append((yield from _steps_of_message(message, f"messages[{index}]", older)))
    return tuple(read)


def _steps_of_message(message: ChatMessage, path: str, older: OlderCalls) -> Steps[Message]:
    if message.role is None:
        invalid(f"{path}.role")
    role = _ROLES[message.role]
    calls = yield from _call_steps(message, path, older)
    call_id = _call_id(message, path, older) if role is Role.TOOL else ""
    if isinstance(message.content, list):
        parts = tuple(_part(part, f"{path}.content") for part in message.content)
        return replace(Message.of_parts(role, parts), tool_calls=calls, tool_call_id=call_id)
    # An answer may have called tools alone, and a tool may have brought nothing.
    if message.content is None and role not in (Role.ASSISTANT, Role.TOOL):
        invalid(f"{path}.content")
    return Message(role, message.content or "", (), calls, call_id)


def _call_steps(message: ChatMessage, path: str, older: OlderCalls) -> Steps[tuple[ToolCall, ...]]:
    calls, last = (yield from calls_steps(message.tool_calls, path)), message.function_call
    if calls and message.role != "assistant":
        invalid(f"{path}.tool_calls")
    if last is None:
        return calls
    if calls or message.role != "assistant":
        invalid(f"{path}.function_call")
    return ((yield from older.call_steps(last, f"{path}.function_call")),)


def _call_id(message: ChatMessage, path: str, older: OlderCalls) -> str:
    """Returns which call a tool's message answers."""
    if message.role == "function":
        return older.call_id
    return message.tool_call_id or invalid(f"{path}.tool_call_id")


def _part(part: ContentPart, path: str) -> str:
    if part.type not in _TEXTS:
        unsupported(path)
    text = part.refusal if part.type == "refusal" else part.text
    return invalid(path) if text is None else text


def _max_output_tokens(body: ChatBody) -> int:
    """Returns the smaller limit, 0 for none; too many are cut here and, to what fits, by the router."""
    # Clients send -1 and 0, too, for an answer of any length.
    limits = [limit for limit in (body.max_completion_tokens, body.max_tokens) if limit and limit > 0]
    return min(*limits, MAX_OUTPUT_TOKENS) if limits else 0


def _stop(strings: Sequence[str]) -> tuple[str, ...]:
    # msgspec counts characters, and engines have room for bytes.
    is_few = len(strings) <= MAX_STOP_STRINGS
    if not is_few or not all(len(string.encode()) <= MAX_STOP_BYTES for string in strings):
        invalid("stop")
    # Forms send an empty one for none.
    return tuple(filter(None, strings))


def includes_usage(stream: bool | None, options: StreamOptions | None) -> bool:
    """Returns whether a stream ends with its counts; raises REQUEST_INVALID for options of no stream."""
    if options is None:
        return False
    if not stream:
        invalid("stream_options")
    return bool(options.include_usage)
