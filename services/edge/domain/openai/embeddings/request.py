"""OpenAI's request for vectors as JSON becomes an EmbeddingRequest, and vectors become its answer."""

import array
import base64
import math
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from services.edge.domain.generation import Counts, GenerationRequest, Prompt, Vectors
from services.edge.domain.openai.answers import quoted
from services.edge.domain.openai.conversion import converted
from services.edge.domain.openai.embeddings.body import EMBEDDING_NEUTRAL, EmbeddingBody
from services.edge.domain.openai.parameters import refuse_unsupported
from services.edge.domain.openai.refusals import invalid
from services.edge.domain.timeline import Endpoint
from services.kernel.catalog import MAX_INPUTS
from services.kernel.errors import ComptoirError, Reason
from services.kernel.steps import Steps, finished

_BYTES_PER_NUMBER: Final = 4
# A millisecond, of numbers as text; and whole groups of base64.
_NUMBERS_PER_PART: Final = 1536
_BYTES_PER_PART: Final = _NUMBERS_PER_PART * _BYTES_PER_NUMBER
# Of a model that says no other: the longest vectors of most models.
_USUAL_NUMBERS: Final = 4096
# More than this a replica refuses.
_MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """The inputs, and whether their vectors are written as base64."""

    generation: GenerationRequest
    is_base64: bool = False

    @property
    def answer_bytes(self) -> int:
        """About how many bytes the vectors will have, before it is known which model makes them."""
        numbers = len(self.generation.inputs) * (self.generation.dimensions or _USUAL_NUMBERS)
        return min(_MAX_ANSWER_BYTES, numbers * _BYTES_PER_NUMBER)


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
        model=body.model or "",
        messages=(),
        inputs=inputs,
        dimensions=body.dimensions or 0,
        endpoint=Endpoint.EMBEDDINGS,
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
        self._parts: deque[Vectors] = deque()

    def add(self, vectors: Vectors) -> None:
        """Takes the vectors of the next inputs."""
        self._parts.append(vectors)

    def body(self, counts: Counts, model_name: str) -> Iterator[bytes]:
        """Yields the object, piece by piece; what was written of the vectors is not held any longer."""
        yield b'{"object":"list","data":['
        written: list[str] = []
        size_bytes = 0
        before, behind = ('"', '"}') if self._is_base64 else ("[", "]}")
        for index, values in enumerate(self._vectors()):
            comma = "," if index else ""
            written.append(f'{comma}{{"object":"embedding","index":{index},"embedding":{before}')
            for start in range(0, len(values), _BYTES_PER_PART):
                piece = values[start : start + _BYTES_PER_PART]
                written.append(self._piece(piece, is_first=start == 0))
                size_bytes += len(piece)
                if size_bytes >= _BYTES_PER_PART:
                    yield "".join(written).encode()
                    written, size_bytes = [], 0
            written.append(behind)
        tokens = counts.input_tokens
        usage = f'{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}'
        yield f'{"".join(written)}],"model":{quoted(model_name)},"usage":{usage}}}'.encode()

    def _vectors(self) -> Iterator[bytes]:
        while self._parts:
            part = self._parts.popleft()
            size_bytes = part.size * _BYTES_PER_NUMBER
            for start in range(0, len(part.values), size_bytes):
                yield part.values[start : start + size_bytes]

    def _piece(self, values: bytes, *, is_first: bool) -> str:
        if self._is_base64:
            return base64.b64encode(values).decode()
        numbers = ",".join(map(repr, _numbers(values)))
        return numbers if is_first else f",{numbers}"


def _numbers(values: bytes) -> list[float]:
    numbers = array.array("f", values)
    if sys.byteorder == "big":
        numbers.byteswap()
    if not math.isfinite(sum(numbers)):
        # JSON has no word for it.
        raise ComptoirError(Reason.INTERNAL)
    return numbers.tolist()
