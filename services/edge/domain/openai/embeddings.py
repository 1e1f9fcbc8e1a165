"""OpenAI's request for vectors as JSON becomes an EmbeddingRequest, and vectors become its answer."""

import array
import base64
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from services.edge.domain.generation import Counts, GenerationRequest, Prompt, Vectors
from services.edge.domain.openai.answers import quoted
from services.edge.domain.openai.conversion import converted
from services.edge.domain.openai.embedding_body import EMBEDDING_NEUTRAL, EmbeddingBody
from services.edge.domain.openai.parameters import refuse_unsupported
from services.edge.domain.openai.refusals import invalid
from services.kernel.catalog import MAX_INPUTS
from services.kernel.errors import ComptoirError, Reason
from services.kernel.steps import Steps, finished

_BYTES_PER_NUMBER: Final = 4
# A millisecond, of numbers as text.
_NUMBERS_PER_PART: Final = 2048


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """The inputs, and whether their vectors are written as base64."""

    generation: GenerationRequest
    is_base64: bool = False


def parse_embeddings(value: object) -> EmbeddingRequest:
    """Returns what `embedding_steps` does, at once."""
    return finished(embedding_steps(value))


def embedding_steps(value: object) -> Steps[EmbeddingRequest]:
    """Returns what `value`, any decoded JSON, asks for; raises as `completion_steps` does."""
    if not isinstance(value, dict):
        invalid("")
    refuse_unsupported(value, EMBEDDING_NEUTRAL)
    body = converted(value, EmbeddingBody)
    yield
    inputs = _inputs(body.input)
    generation = GenerationRequest(
        model=body.model or "", messages=(), inputs=inputs, dimensions=body.dimensions or 0
    )
    return EmbeddingRequest(generation, is_base64=body.encoding_format == "base64")


def _inputs(value: str | list[str | int | list[int]] | None) -> tuple[Prompt, ...]:
    """Returns the inputs of any of OpenAI's four forms."""
    if isinstance(value, str):
        return (value,) if value else invalid("input")
    token_ids = [each for each in value or () if isinstance(each, int)]
    if value and len(token_ids) == len(value):
        return (tuple(token_ids),)
    if token_ids or not value or len(value) > MAX_INPUTS:
        invalid("input")
    return tuple(_input(each, index) for index, each in enumerate(value))


def _input(each: str | int | Sequence[int], index: int) -> Prompt:
    if isinstance(each, int) or not each:
        # Numbers among others were refused.
        invalid(f"input[{index}]")
    return each if isinstance(each, str) else tuple(each)


class EmbeddingWriter:
    """The vectors of an answer, and its JSON in parts, of which none takes long to write."""

    def __init__(self, *, is_base64: bool) -> None:
        self._is_base64 = is_base64
        self._parts: list[Vectors] = []

    def add(self, vectors: Vectors) -> None:
        """Takes the vectors of the next inputs."""
        self._parts.append(vectors)

    def body(self, counts: Counts, model_name: str) -> Iterator[bytes]:
        """Yields the object, piece by piece."""
        yield b'{"object":"list","data":['
        written: list[str] = []
        numbers = 0
        for index, values in enumerate(self._vectors()):
            written.append(f"{',' if index else ''}{self._item(index, values)}")
            numbers += len(values) // _BYTES_PER_NUMBER
            if numbers >= _NUMBERS_PER_PART:
                yield "".join(written).encode()
                written, numbers = [], 0
        tokens = counts.input_tokens
        usage = f'{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}'
        yield f'{"".join(written)}],"model":{quoted(model_name)},"usage":{usage}}}'.encode()

    def _vectors(self) -> Iterator[bytes]:
        for part in self._parts:
            size_bytes = part.size * _BYTES_PER_NUMBER
            for start in range(0, len(part.values), size_bytes):
                yield part.values[start : start + size_bytes]

    def _item(self, index: int, values: bytes) -> str:
        if self._is_base64:
            vector = f'"{base64.b64encode(values).decode()}"'
        else:
            vector = f"[{','.join(map(repr, _numbers(values)))}]"
        return f'{{"object":"embedding","index":{index},"embedding":{vector}}}'


def _numbers(values: bytes) -> list[float]:
    numbers = array.array("f", values)
    if sys.byteorder == "big":
        numbers.byteswap()
    if not math.isfinite(sum(numbers)):
        # JSON has no word for it.
        raise ComptoirError(Reason.INTERNAL)
    return numbers.tolist()
