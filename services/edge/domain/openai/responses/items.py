"""The items of an input become the turns of a chat, or a refusal that names one of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from services.edge.domain.generation import Message, Role
from services.edge.domain.openai.refusals import invalid, unsupported
from services.edge.domain.openai.responses.body import ResponseItem, ResponsePart
from services.edge.domain.openai.responses.output import ItemKind
from services.edge.domain.openai.responses.references import REFERENCE
from services.edge.domain.openai.tools.bodies import MAX_TOOLS
from services.edge.domain.openai.tools.request import call_steps
from services.kernel.steps import Steps

_ROLES: Final = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
}
# Of items, with their parts: about a millisecond.
_PIECES_PER_STEP: Final = 512
_PIECES_OF_A_CALL: Final = 4
_TEXTS: Final = ("input_text", "output_text", "text", "refusal")


def message_steps(
    instructions: str | None, items: str | Sequence[ResponseItem] | None
) -> Steps[tuple[Message, ...]]:
    """Returns the turns of an input behind its instructions.

    What a model said and the calls behind it are one turn, as its chat template has them; a train of thought
    is no part of the prompt.
    """
    if items is None:
        invalid("input")
    messages = [] if instructions is None else [Message(Role.SYSTEM, instructions)]
    if isinstance(items, str):
        return (*messages, Message(Role.USER, items))
    begins, pieces = len(messages), 0
    for index, item in enumerate(items):
        pieces += len(item.content) if isinstance(item.content, list) else _PIECES_OF_A_CALL
        if pieces > _PIECES_PER_STEP:
            yield
            pieces = 0
        message = yield from _steps_of_item(item, f"input[{index}]")
        if message is None:
            continue
        if message.tool_calls and len(messages) > begins and messages[-1].role is Role.ASSISTANT:
            called = messages[-1].tool_calls + message.tool_calls
            if len(called) > MAX_TOOLS:
                # A replica takes no more in one turn, and to add them one by one would take ever longer.
                invalid("input")
            messages[-1] = replace(messages[-1], tool_calls=called)
        else:
            messages.append(message)
    return tuple(messages) if len(messages) > begins else invalid("input")


def _steps_of_item(item: ResponseItem, path: str) -> Steps[Message | None]:
    """Returns the turn of one item; None where it is none."""
    if item.type in (None, "message"):
        role = _ROLES[item.role or invalid(f"{path}.role")]
        return _spoken(role, item.content, f"{path}.content")
    if item.type == "function_call":
        call_id = item.call_id or invalid(f"{path}.call_id")
        name = item.name or invalid(f"{path}.name")
        call = yield from call_steps(call_id, name, item.arguments or "", f"{path}.arguments")
        return Message(Role.ASSISTANT, "", tool_calls=(call,))
    if item.type == "function_call_output":
        call_id = item.call_id or invalid(f"{path}.call_id")
        return replace(_spoken(Role.TOOL, item.output, f"{path}.output"), tool_call_id=call_id)
    is_thought = item.type == "reasoning" or (item.type == REFERENCE and _names_thought(item))
    return None if is_thought else unsupported(f"{path}.type")


def _names_thought(item: ResponseItem) -> bool:
    """Returns whether a reference is to a train of thought, which is no part of a prompt anyway."""
    return item.id is not None and item.id.startswith(f"{ItemKind.REASONING.value}_")


def _spoken(role: Role, content: str | Sequence[ResponsePart] | None, path: str) -> Message:
    if content is None:
        invalid(path)
    if isinstance(content, str):
        return Message(role, content)
    return Message.of_parts(role, tuple(_text(part, path) for part in content))


def _text(part: ResponsePart, path: str) -> str:
    if part.type not in _TEXTS:
        unsupported(path)
    text = part.refusal if part.type == "refusal" else part.text
    return invalid(path) if text is None else text
