"""The JSON of a chat's answer: one completion object, or the chunks of a stream."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from services.edge.domain.generation import Counts, Delta, FinishReason
from services.edge.domain.openai.answers import inner, quoted, usage_json
from services.edge.domain.openai.logprobs import (
    LOGPROBS_BEFORE,
    LOGPROBS_BEHIND,
    content_json,
    logprobs_json,
)
from services.edge.domain.openai.pieces import Pieces
from services.edge.domain.openai.streams import DONE, failed_stream
from services.edge.domain.openai.tools.calls import CalledTools, older_piece_json, piece_json

_CALLED: Final = "function_call"


@dataclass(frozen=True, slots=True)
class ChatHead:
    """What is the same in every object of one answer."""

    request_hex: str
    created_seconds: int
    # Says which tier answers, once that is known; None where nobody asked.
    tier: Callable[[], str] | None = None
    includes_reasoning: bool = True
    # Whether calls are told as `function_call`, to a request whose tools are functions.
    has_functions: bool = False

    def json(self, kind: str, model_name: str) -> str:
        """Returns the start of an object of `kind`, up to its choices."""
        tier = "" if self.tier is None else f'"service_tier":"{self.tier()}",'
        return (
            f'{{"id":"chatcmpl-{self.request_hex}","object":"{kind}","created":{self.created_seconds},'
            f'"model":{quoted(model_name)},{tier}"choices":['
        )

    def ending(self, finish: FinishReason) -> str:
        """Returns why a choice ended, in the request's words."""
        return _CALLED if self.has_functions and finish is FinishReason.TOOL_CALLS else finish.value


@dataclass(slots=True)
class _Choice:
    text: Pieces = field(default_factory=Pieces)
    thoughts: Pieces = field(default_factory=Pieces)
    tokens: Pieces = field(default_factory=lambda: Pieces(b","))
    calls: CalledTools = field(default_factory=CalledTools)
    finish: FinishReason = FinishReason.STOP

    def parts(self, index: int, head: ChatHead) -> Iterator[bytes | bytearray]:
        yield b'{"index":%d,"message":{"role":"assistant","content":' % index
        if (self.calls or self.thoughts) and not self.text:
            # A message that calls tools or was only thought has no content.
            yield b"null"
        else:
            yield b'"'
            yield from self.text.parts()
            yield b'"'
        yield b',"refusal":null'
        if self.thoughts:
            yield b',"reasoning_content":"'
            yield from self.thoughts.parts()
            yield b'"'
        yield from self.calls.parts(is_function=head.has_functions)
        yield b'},"logprobs":'
        yield from self._logprobs()
        yield f',"finish_reason":"{head.ending(self.finish)}"}}'.encode()

    def _logprobs(self) -> Iterator[bytes | bytearray]:
        if self.tokens:
            yield LOGPROBS_BEFORE.encode()
            yield from self.tokens.parts()
            yield LOGPROBS_BEHIND.encode()
        else:
            yield b"null"


class WholeChat:
    """A `chat.completion`, put together from its deltas; what it holds is JSON already."""

    def __init__(self, head: ChatHead) -> None:
        self._head = head
        self._choices: defaultdict[int, _Choice] = defaultdict(_Choice)
        self.held_bytes = 0

    def add(self, delta: Delta) -> None:
        """Takes one delta."""
        choice = self._choices[delta.index]
        if delta.text:
            self.held_bytes += choice.text.add(inner(delta.text))
        if delta.reasoning and self._head.includes_reasoning:
            self.held_bytes += choice.thoughts.add(inner(delta.reasoning))
        if delta.tokens:
            self.held_bytes += choice.tokens.add(content_json(delta.tokens))
        if delta.tool_call is not None:
            self.held_bytes += choice.calls.add(delta.tool_call)
        choice.finish = delta.finish or choice.finish

    def parts(self, counts: Counts, model_name: str) -> Iterator[bytes | bytearray]:
        """Yields the object, piece by piece."""
        yield self._head.json("chat.completion", model_name).encode()
        for number, (index, choice) in enumerate(sorted(self._choices.items())):
            if number:
                yield b","
            yield from choice.parts(index, self._head)
        yield f'],"usage":{usage_json(counts)}}}'.encode()


class ChunkWriter:
    """The frames of a streamed answer; what is the same in every chunk is written once."""

    # Nothing of what was written is repeated.
    held_bytes = 0

    def __init__(self, head: ChatHead, *, choices: int = 1, includes_usage: bool) -> None:
        self._answer = head
        self._piece_json = older_piece_json if head.has_functions else piece_json
        self._choices = choices
        self._head, self._text_head = "", b""
        self._includes_usage = includes_usage
        self._end = (',"usage":null' if includes_usage else "") + "}\n\n"
        self._text_end = f'}},"logprobs":null,"finish_reason":null}}]{self._end}'.encode()

    def opening(self, model_name: str) -> bytes:
        """Returns the first frame of each choice: who speaks, and no text yet."""
        self._head = f"data: {self._answer.json('chat.completion.chunk', model_name)}"
        self._text_head = f'{self._head}{{"index":'.encode()
        return "".join(
            f'{self._head}{{"index":{index},"delta":{{"role":"assistant","content":""}},'
            f'"logprobs":null,"finish_reason":null}}]{self._end}'
            for index in range(self._choices)
        ).encode()

    def frames(self, delta: Delta) -> bytes:
        """Returns a frame with the new text, and one that says why the choice ended."""
        text = b""
        if delta.reasoning:
            text = self._reasoning(delta)
        # Tokens of a delta that has both are told with what is said.
        if delta.text or delta.tool_call is not None or (delta.tokens and not delta.reasoning):
            text += self._text(delta)
        return text if delta.finish is None else text + self._finish(delta.index, delta.finish)

    def closing(self, counts: Counts) -> tuple[bytes, ...]:
        """Returns the frame with the counts, if they were asked for, and the end."""
        usage = f'{self._head}],"usage":{usage_json(counts)}}}\n\n' if self._includes_usage else ""
        return (usage.encode() + DONE,)

    def failure(self, error_body: bytes) -> bytes:
        """Returns the frame of a failure, and the end."""
        return failed_stream(error_body)

    def _text(self, delta: Delta) -> bytes:
        # Runs once per token.
        if delta.tokens or delta.tool_call is not None:
            call = "" if delta.tool_call is None else self._piece_json(delta.tool_call)
            content = f'"content":{quoted(delta.text)}' if delta.text or not call else ""
            new = f"{content},{call}" if content and call else content or call
            choice = f'{{"index":{delta.index},"delta":{{{new}}}'
            logprobs = f'"logprobs":{logprobs_json(delta.tokens)},"finish_reason":null}}'
            return f"{self._head}{choice},{logprobs}]{self._end}".encode()
        return b'%b%d,"delta":{"content":%b%b' % (
            self._text_head,
            delta.index,
            quoted(delta.text).encode(),
            self._text_end,
        )

    def _reasoning(self, delta: Delta) -> bytes:
        new = f'"reasoning_content":{quoted(delta.reasoning)}' if self._answer.includes_reasoning else ""
        tokens = () if delta.text or delta.tool_call is not None else delta.tokens
        if not new and not tokens:
            return b""
        logprobs = logprobs_json(tokens) if tokens else "null"
        choice = f'{{"index":{delta.index},"delta":{{{new}}},"logprobs":{logprobs},"finish_reason":null}}'
        return f"{self._head}{choice}]{self._end}".encode()

    def _finish(self, index: int, finish: FinishReason) -> bytes:
        ending = self._answer.ending(finish)
        choice = f'{{"index":{index},"delta":{{}},"logprobs":null,"finish_reason":"{ending}"}}'
        return f"{self._head}{choice}]{self._end}".encode()
