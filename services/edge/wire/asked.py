"""What a replica is asked for, as messages; a long one is made in steps."""

from collections.abc import Sequence
from typing import Any, Final

from comptoir.generator.v1 import generator_pb2
from comptoir.ticket.v1 import ticket_pb2

from services.edge.domain.generation import ANY_FORM, Form, GenerationRequest, Message, Role
from services.edge.domain.ports import Offer
from services.edge.domain.tools import Tools, ToolUse
from services.edge.wire.template import template_options
from services.kernel.steps import Steps

_ROLES: Final = {
    Role.SYSTEM: generator_pb2.ROLE_SYSTEM,
    Role.USER: generator_pb2.ROLE_USER,
    Role.ASSISTANT: generator_pb2.ROLE_ASSISTANT,
    Role.TOOL: generator_pb2.ROLE_TOOL,
}
_TOOL_USES: Final = {
    ToolUse.AUTO: generator_pb2.TOOL_USE_UNSPECIFIED,
    ToolUse.NONE: generator_pb2.TOOL_USE_NONE,
    ToolUse.REQUIRED: generator_pb2.TOOL_USE_REQUIRED,
}
# Of messages, with their parts and calls, or of inputs: about a millisecond.
_PIECES_PER_STEP: Final = 256


def count_steps(
    offer: Offer, request: GenerationRequest, *, returns_ids: bool
) -> Steps[generator_pb2.CountTokensRequest]:
    """Returns, in steps, what a replica is to count."""
    asked = generator_pb2.CountTokensRequest(
        ticket=_ticket(offer),
        text=request.prompt if isinstance(request.prompt, str) else None,
        returns_token_ids=returns_ids,
        template=template_options(request),
    )
    yield from _tool_steps(asked.tools, request.tools)
    yield from _message_steps(asked.messages, request.messages)
    return asked


def generate_steps(offer: Offer, request: GenerationRequest) -> Steps[generator_pb2.GenerateRequest]:
    """Returns, in steps, the replica's task.

    It asks for as many output tokens as the ticket permits: the router put the smaller of
    the client's wish and the model's cap there.
    """
    asked = generator_pb2.GenerateRequest(
        ticket=_ticket(offer),
        # The names are the schema's.
        sampling=generator_pb2.Sampling(**request.sampling),  # type: ignore[arg-type] # of several types
        is_streamed=request.is_streamed,
        structure=_structure(request.form),
        prompt=_prompt(request),
        template=template_options(request),
    )
    yield from _tool_steps(asked.tools, request.tools)
    yield from _message_steps(asked.messages, request.messages)
    return asked


def embed_steps(offer: Offer, request: GenerationRequest) -> Steps[generator_pb2.EmbedRequest]:
    """Returns, in steps, what a replica is to make vectors of."""
    asked = generator_pb2.EmbedRequest(ticket=_ticket(offer), dimensions=request.dimensions)
    for index, each in enumerate(request.inputs, 1):
        if isinstance(each, str):
            asked.inputs.add(text=each)
        else:
            asked.inputs.add().token_ids.ids.extend(each)
        if index % _PIECES_PER_STEP == 0:
            yield
    return asked


def _message_steps(asked: Any, messages: Sequence[Message]) -> Steps[None]:
    """Adds messages to those of a request."""
    pieces = 0
    for message in messages:
        _add(asked, message)
        pieces += 1 + len(message.parts) + len(message.tool_calls)
        if pieces >= _PIECES_PER_STEP:
            pieces = 0
            yield


def _add(asked: Any, message: Message) -> None:
    asked.add(
        role=_ROLES[message.role],
        # The text beside the parts is for replicas that are older than parts.
        text=message.text,
        parts=message.parts,
        tool_calls=[
            generator_pb2.ToolCall(call_id=call.call_id, name=call.name, arguments=call.arguments)
            for call in message.tool_calls
        ],
        tool_call_id=message.tool_call_id,
    )


def _structure(form: Form) -> generator_pb2.Structure | None:
    if form == ANY_FORM:
        return None
    return generator_pb2.Structure(json_schema=form.json_schema, texts=form.texts, pattern=form.pattern)


def _tool_steps(asked: generator_pb2.Tools, tools: Tools | None) -> Steps[None]:
    """Writes tools, if there are any, into those of a request."""
    yield
    if tools is None:
        return
    asked.use = _TOOL_USES[tools.use]
    asked.permitted.extend(tools.permitted)
    asked.is_one_call = tools.is_one_call
    for tool in tools.tools:
        asked.tools.add(
            name=tool.name, description=tool.description, parameters_schema=tool.parameters_schema
        )
        yield


def _ticket(offer: Offer) -> ticket_pb2.SignedTicket:
    return ticket_pb2.SignedTicket(
        claims=offer.claims, signature=offer.signature, signing_key_number=offer.signing_key_number
    )


def _prompt(request: GenerationRequest) -> generator_pb2.Prompt | None:
    prompt, is_echoed = request.prompt, request.is_prompt_echoed
    if prompt is None:
        return None
    if isinstance(prompt, str):
        return generator_pb2.Prompt(text=prompt, is_echoed=is_echoed)
    return generator_pb2.Prompt(token_ids=generator_pb2.TokenIds(ids=prompt), is_echoed=is_echoed)
