"""The JSON of a completion's answer: one object, or the chunks of a stream."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from services.edge.domain.generation import Counts, Delta, FinishReason
from services.edge.domain.openai.answers import inner, quoted, usage_json
from services.edge.domain.openai.completions.logprobs import HeldColumns, TextLogprobs
from services.edge.domain.openai.pieces import Pieces
from services.edge.domain.openai.streams import DONE, failed_stream


@dataclass(frozen=True, slots=True)
class CompletionHead:
    """What is the same in every object of one answer."""

    request_hex: str
    created_seconds: int

    def json(self, model_name: str) -> str:
        """Returns the start of an object, up to its choices."""
        return (
            f'{{"id":"cmpl-{self.request_hex}","object":"text_completion","created":{self.created_seconds},'
            f'"model":{quoted(model_name)},"choices":['
        )


@dataclass(slots=True)
class _Choice:
    text: Pieces = field(default_factory=Pieces)
    columns: HeldColumns = field(default_factory=HeldColumns)
    finish: FinishReason = FinishReason.STOP

    def parts(self, index: int) -> Iterator[bytes | bytearray]:
        yield b'{"index":%d,"text":"' % index
        yield from self.text.parts()
        yield b'","logprobs":'
        yield from self.columns.parts()
        yield f',"finish_reason":"{self.finish.value}"}}'.encode()


class WholeCompletion:
    """A `text_completion`, put together from its deltas; what it holds is JSON already."""

    def __init__(self, head: CompletionHead) -> None:
        self._head = head
        self._choices: defaultdict[int, _Choice] = defaultdict(_Choice)
        self.held_bytes = 0

    def add(self, delta: Delta) -> None:
        """Takes one delta."""
        choice = self._choices[delta.index]
        if delta.text:
            self.held_bytes += choice.text.add(inner(delta.text))
        if delta.tokens:
            self.held_bytes += choice.columns.add(delta.tokens)
        choice.finish = delta.finish or choice.finish

    def parts(self, counts: Counts, model_name: str) -> Iterator[bytes | bytearray]:
        """Yields the object, piece by piece."""
        yield self._head.json(model_name).encode()
        for number, (index, choice) in enumerate(sorted(self._choices.items())):
            if number:
                yield b","
            yield from choice.parts(index)
        yield f'],"usage":{usage_json(counts)}}}'.encode()


class CompletionChunkWriter:
    """The frames of a streamed answer."""

    # Nothing of what was written is repeated.
    held_bytes = 0

    def __init__(self, head: CompletionHead, *, includes_usage: bool) -> None:
        self._answer = head
        self._head = ""
        self._includes_usage = includes_usage
        self._end = "]" + (',"usage":null' if includes_usage else "") + "}\n\n"
        self._logprobs: defaultdict[int, TextLogprobs] = defaultdict(TextLogprobs)

    def opening(self, model_name: str) -> bytes:
        """Returns nothing: the first text comes first."""
        self._head = f"data: {self._answer.json(model_name)}"
        return b""

    def frames(self, delta: Delta) -> bytes:
        """Returns a frame with the new text, and one that says why the choice ended."""
        frames = ""
        if delta.text or delta.tokens:
            logprobs = self._logprobs[delta.index].json(delta.tokens)
            frames = self._frame(_choice_json(delta.index, delta.text, logprobs, "null"))
        if delta.finish is not None:
            frames += self._frame(_choice_json(delta.index, "", "null", f'"{delta.finish.value}"'))
        return frames.encode()

    def closing(self, counts: Counts) -> tuple[bytes, ...]:
        """Returns the frame with the counts, if they were asked for, and the end."""
        usage = f'{self._head}],"usage":{usage_json(counts)}}}\n\n' if self._includes_usage else ""
        return (usage.encode() + DONE,)

    def failure(self, error_body: bytes) -> bytes:
        """Returns the frame of a failure, and the end."""
        return failed_stream(error_body)

    def _frame(self, choice: str) -> str:
        return f"{self._head}{choice}{self._end}"


def _choice_json(index: int, text: str, logprobs: str, finish: str) -> str:
    return f'{{"index":{index},"text":{quoted(text)},"logprobs":{logprobs},"finish_reason":{finish}}}'
