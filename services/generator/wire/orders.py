"""What a caller asks for and what permits it, as messages and in the domain's words."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from comptoir.generator.v1 import generator_pb2
from comptoir.ticket.v1 import ticket_pb2
from google.protobuf.message import DecodeError

from services.generator.domain.prompt import Chat, ChatTurn, Prompt, Role, Text, TokenIds, ToolCall
from services.generator.domain.sampling import Sampling
from services.generator.domain.structure import Structure
from services.generator.domain.template import TemplateOptions, Value
from services.generator.domain.ticket import Claims
from services.generator.domain.tools import Tool, Tools, ToolUse
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity, digest64
from services.kernel.steps import Steps

_MAX_PRIORITY: Final = 255
# Each takes less than a millisecond.
IDS_PER_STEP: Final = 4096
_INPUTS_PER_STEP: Final = 64
# Of messages, with their parts and calls.
_PIECES_PER_STEP: Final = 256
# So many ids of each of the inputs of a step make none of its own.
_FEW_IDS: Final = IDS_PER_STEP // _INPUTS_PER_STEP
_ROLES: Final = {
    generator_pb2.ROLE_SYSTEM: Role.SYSTEM,
    generator_pb2.ROLE_USER: Role.USER,
    generator_pb2.ROLE_ASSISTANT: Role.ASSISTANT,
    generator_pb2.ROLE_TOOL: Role.TOOL,
}
_TOOL_USES: Final = {
    generator_pb2.TOOL_USE_UNSPECIFIED: ToolUse.AUTO,
    generator_pb2.TOOL_USE_NONE: ToolUse.NONE,
    generator_pb2.TOOL_USE_REQUIRED: ToolUse.REQUIRED,
}
# By the catalog's names; the first leaves it to the model.
_EFFORTS: Final = {
    generator_pb2.REASONING_EFFORT_UNSPECIFIED: "",
    generator_pb2.REASONING_EFFORT_NONE: "none",
    generator_pb2.REASONING_EFFORT_MINIMAL: "minimal",
    generator_pb2.REASONING_EFFORT_LOW: "low",
    generator_pb2.REASONING_EFFORT_MEDIUM: "medium",
    generator_pb2.REASONING_EFFORT_HIGH: "high",
    generator_pb2.REASONING_EFFORT_XHIGH: "xhigh",
    generator_pb2.REASONING_EFFORT_MAX: "max",
}


def claims_from(signed: bytes) -> Claims:
    """Returns the claims that a ticket's signed bytes hold; raises TICKET_INVALID if they hold none."""
    try:
        claims = ticket_pb2.TicketClaims.FromString(signed)
    except DecodeError:
        raise ComptoirError(Reason.TICKET_INVALID) from None
    return Claims(
        ticket_id=Identity(claims.ticket_id_high, claims.ticket_id_low),
        request_id=Identity(claims.request_id_high, claims.request_id_low),
        lease_id=Identity(claims.lease_id_high, claims.lease_id_low),
        tenant=claims.tenant,
        key=claims.key,
        model=claims.model,
        region=claims.region,
        home_region=claims.home_region,
        transfer_record=claims.transfer_record,
        replica=claims.replica,
        max_input_tokens=claims.max_input_tokens,
        max_output_tokens=claims.max_output_tokens,
        choices=max(1, claims.choices),
        router=claims.router,
        priority=min(claims.priority, _MAX_PRIORITY),
        attempt=claims.attempt,
        issued_at_microseconds=claims.issued_at_microseconds,
        expires_at_microseconds=claims.expires_at_microseconds,
        predicted_kv_blocks=claims.predicted_kv_blocks,
        digest=digest64(signed),
    )


def prompt_steps(request: generator_pb2.GenerateRequest, *, most_ids: int) -> Steps[Prompt]:
    """Returns, in steps, what a validated request is to continue.

    More ids than `most_ids` stay in the message: they have a length, by which they are refused, and no list
    is made of them.
    """
    form = request.prompt.WhichOneof("form")
    if form == "token_ids":
        ids = request.prompt.token_ids.ids
        return TokenIds((yield from _copied(ids)) if len(ids) <= most_ids else ids)
    if form == "text":
        return Text(request.prompt.text)
    return (yield from _chat_steps(request))


def countable_steps(request: generator_pb2.CountTokensRequest) -> Steps[Chat | Text]:
    """Returns, in steps, what a validated request wants counted."""
    if request.HasField("text"):
        return Text(request.text)
    return (yield from _chat_steps(request))


def pieces_of(message: generator_pb2.ChatMessage) -> int:
    """Returns of how many pieces a message is."""
    return 1 + len(message.parts) + len(message.tool_calls)


def pieces_of_input(each: generator_pb2.EmbedInput) -> int:
    """Returns about how many pieces an input is worth, each of which takes as long as one of a message."""
    return 1 + len(each.token_ids.ids) // _FEW_IDS


def _chat_steps(request: generator_pb2.GenerateRequest | generator_pb2.CountTokensRequest) -> Steps[Chat]:
    turns: list[ChatTurn] = []
    pieces = 0
    for message in request.messages:
        turns.append(_turn_from(message))
        pieces += pieces_of(message)
        if pieces >= _PIECES_PER_STEP:
            pieces = 0
            yield
    tools = _tools_from(request.tools) if request.HasField("tools") else None
    return Chat(tuple(turns), tools, _options_from(request.template))


def _options_from(message: generator_pb2.TemplateOptions) -> TemplateOptions:
    arguments = {name: _value_from(value) for name, value in message.arguments.items()}
    return TemplateOptions(_EFFORTS[message.reasoning_effort], arguments)


def _value_from(message: generator_pb2.TemplateValue) -> Value:
    if message.HasField("flag"):
        return message.flag
    return message.number if message.HasField("number") else message.text


def inputs_steps(
    request: generator_pb2.EmbedRequest, *, context_tokens: int, max_tokens: int
) -> Steps[list[Text | TokenIds]]:
    """Returns, in steps, what a validated request wants vectors of.

    Ids that are more than the context, or with those before them more than the request may have, stay in the
    message: they have a length, by which they are refused, and no list is made of them.
    """
    inputs: list[Text | TokenIds] = []
    tokens = done = 0
    for each in request.inputs:
        if each.WhichOneof("form") == "text":
            inputs.append(Text(each.text))
        else:
            ids = each.token_ids.ids
            tokens += len(ids)
            is_copied = len(ids) <= context_tokens and tokens <= max_tokens
            inputs.append(TokenIds((yield from _copied(ids)) if is_copied else ids))
        if len(inputs) - done >= _INPUTS_PER_STEP:
            done = len(inputs)
            yield
    return inputs


def _copied(ids: Sequence[int]) -> Steps[tuple[int, ...]]:
    copied: list[int] = []
    for start in range(0, len(ids), IDS_PER_STEP):
        copied += ids[start : start + IDS_PER_STEP]
        if len(ids) > _FEW_IDS:
            yield
    return tuple(copied)


def _turn_from(message: generator_pb2.ChatMessage) -> ChatTurn:
    # Beside parts the text is for replicas that know no parts.
    text = "" if message.parts else message.text
    calls = tuple(ToolCall(call.call_id, call.name, call.arguments) for call in message.tool_calls)
    return ChatTurn(_ROLES[message.role], text, tuple(message.parts), calls, message.tool_call_id)


def _tools_from(message: generator_pb2.Tools) -> Tools:
    return Tools(
        tuple(Tool(tool.name, tool.description, tool.parameters_schema) for tool in message.tools),
        _TOOL_USES[message.use],
        tuple(message.permitted),
        message.is_one_call,
    )


def sampling_from(request: generator_pb2.GenerateRequest) -> Sampling:
    """Returns the sampling parameters of a validated request: each by its name, if it is set."""
    told = {field.name: _plain(value) for field, value in request.sampling.ListFields()}
    return Sampling(**told)


def _plain(value: Any) -> Any:
    # Of any field: a scalar, a list or a map.
    if isinstance(value, Mapping):
        return dict(value)
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def structure_from(request: generator_pb2.GenerateRequest) -> Structure | None:
    """Returns what the answer of a validated request must be; None leaves it to the model."""
    if not request.HasField("structure"):
        return None
    asked = request.structure
    if asked.texts:
        return Structure.of_texts(asked.texts)
    return Structure.of_pattern(asked.pattern) if asked.pattern else Structure(asked.json_schema)
