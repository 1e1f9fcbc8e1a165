"""A whole answer, put together from its deltas."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from comptoir.generator.v1 import generator_pb2
from comptoir.generator.v1.generator_pb2 import (
    Delta,
    Finished,
    GenerateResponse,
    GenerateWholeResponse,
    TokenChoice,
    ToolCall,
    ToolCallDelta,
)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the answers that were asked for: what is said, called and thought, and the tokens if wanted."""

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    tokens: tuple[TokenChoice, ...] = ()
    token_ids: tuple[int, ...] = ()
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; `finished` has its counts, which are durable."""

    request_id: uuid.UUID
    choices: tuple[Choice, ...]
    finished: Finished

    @property
    def text(self) -> str:
        """What the first choice says."""
        return self.choices[0].text

    @property
    def reasoning(self) -> str:
        """What the model thought before its first choice."""
        return self.choices[0].reasoning

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """What the first choice calls."""
        return self.choices[0].tool_calls


def choices_of(deltas: Sequence[Delta]) -> tuple[Choice, ...]:
    """Returns the choices of an answer by index; one that says nothing too."""
    count = 1 + max((delta.index for delta in deltas), default=0)
    return tuple(_choice([delta for delta in deltas if delta.index == index]) for index in range(count))


def _choice(deltas: Sequence[Delta]) -> Choice:
    calls: dict[int, ToolCall] = {}
    for piece in (delta.tool_call for delta in deltas if delta.HasField("tool_call")):
        call = calls.setdefault(piece.index, ToolCall(call_id=piece.call_id, name=piece.name))
        call.arguments += piece.arguments
    return Choice(
        "".join(delta.text for delta in deltas),
        tuple(call for _, call in sorted(calls.items())),
        tuple(token for delta in deltas for token in delta.tokens),
        tuple(token_id for delta in deltas for token_id in delta.token_ids),
        "".join(delta.reasoning for delta in deltas),
    )


def messages_of(whole: GenerateWholeResponse) -> Iterator[GenerateResponse]:
    """Yields what a stream would have said of a whole answer: what is missing in it too is not said."""
    if whole.HasField("started"):
        yield GenerateResponse(started=whole.started)
    for index, choice in enumerate(whole.choices):
        for delta in _deltas(choice):
            delta.index = index
            yield GenerateResponse(delta=delta)
    if whole.HasField("finished"):
        yield GenerateResponse(finished=whole.finished)


def _deltas(choice: generator_pb2.Choice) -> Iterator[Delta]:
    yield Delta(
        text=choice.text, reasoning=choice.reasoning, tokens=choice.tokens, token_ids=choice.token_ids
    )
    for index, call in enumerate(choice.tool_calls):
        piece = ToolCallDelta(index=index, call_id=call.call_id, name=call.name, arguments=call.arguments)
        yield Delta(tool_call=piece)
