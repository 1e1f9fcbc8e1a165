"""One request for vectors: inputs are counted, computed in bounded parts, recorded, and then answered."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from services.generator.domain.accepted import AcceptedRequest
from services.generator.domain.generation import Started
from services.generator.domain.ports import Capabilities, Engine, Feature, VectorRequest
from services.generator.domain.prompt import Text, TokenIds
from services.generator.domain.terminal_event import Counts, Ending, Outcome
from services.generator.domain.ticket import Claims
from services.generator.domain.timeline import Timings
from services.generator.domain.vector_memory import HeldVectors
from services.kernel.errors import ComptoirError, Numbers, Reason
from services.kernel.steps import turn

# What the engine has of one request at once, or one longer input: whoever comes then waits for no more.
TOKENS_AT_ONCE: Final = 4096
INPUTS_AT_ONCE: Final = 64
# All vectors of a request are held until its event is durable, here and in an edge.
MOST_BYTES: Final = 16 * 1024 * 1024
# A caller receives 4 MiB at once.
_PART_BYTES: Final = 512 * 1024
_BYTES_PER_NUMBER: Final = 4
# Short texts are tokenized in the event loop, a few of them in one turn of it.
_TEXTS_PER_TURN: Final = 8
_IDS_PER_TURN: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class EmbedOrder:
    """Inputs, the numbers that each vector is to have (0: all), the ticket for it, and when it came."""

    claims: Claims
    inputs: Sequence[Text | TokenIds]
    dimensions: int
    received_seconds: float
    received_at_microseconds: int
    deadline_seconds: float | None
    is_streamed: bool = False


@dataclass(frozen=True, slots=True)
class Vectors:
    """Vectors of the next inputs, one behind the other, and how many numbers each has."""

    size: int
    values: bytes


@dataclass(frozen=True, slots=True)
class Embedded:
    """Every input has its vector, and the event is durable."""

    counts: Counts
    timings: Timings


EmbedMessage = Started | Vectors | Embedded


class Embedding(AcceptedRequest[EmbedOrder]):
    """One request for vectors. `serve` it once; `interrupt` it from outside, in whatever phase it is."""

    _held: HeldVectors | None = None

    async def serve(self, put: Callable[[EmbedMessage], None]) -> None:
        """Puts Started, vectors and Embedded; raises ComptoirError, or CancelledError if the caller went.

        Whatever happens, one terminal event is recorded, and none twice; vectors are put once it is durable.
        """
        size, vectors = await self._worked(self._embed(put))
        counts, timings, recorded = self._conclude(Ending(Outcome.STOP))
        await asyncio.shield(recorded)
        for values in _joined(vectors):
            put(Vectors(size, values))
        put(Embedded(counts, timings))

    def sent(self, message: EmbedMessage) -> None:
        """Notes what its caller has, so that this process holds it no longer."""
        if self._held is not None and isinstance(message, Vectors):
            self._held.give(len(message.values))

    def close(self) -> None:
        """Lets go of all that was not sent; call it once `serve` has ended."""
        if self._held is not None:
            self._held.give_all()

    async def _embed(self, put: Callable[[EmbedMessage], None]) -> tuple[int, list[bytes]]:
        self._check_not_interrupted()
        capabilities = self._parts.engine.capabilities
        if Feature.EMBEDDING not in capabilities.features:
            raise ComptoirError(Reason.MODEL_TASK_MISMATCH)
        size = _size_of(self._order, capabilities.vector_sizes)
        # What the caller does not read stays here, so there is room for it before anything is worked for it.
        size_bytes = len(self._order.inputs) * size * _BYTES_PER_NUMBER
        self._held = self._parts.vector_memory.take(size_bytes)
        inputs = await self._tokenized(capabilities)
        put(Started(self._order.claims.request_id, sum(map(len, inputs))))
        vectors: list[bytes] = []
        for part in _parts(inputs):
            vectors += await self._vectors(part, size, first=len(vectors))
        return size, vectors

    async def _tokenized(self, capabilities: Capabilities) -> list[Sequence[int]]:
        """Returns the ids of all inputs; raises what is wrong with one before any is computed."""
        context_tokens = capabilities.context_tokens
        most_bytes = context_tokens * self._parts.max_bytes_per_token
        self._check_lengths(context_tokens)
        found: list[Sequence[int]] = []
        ids_in_turn = 0
        for index, each in enumerate(self._order.inputs):
            if isinstance(each, Text):
                text_bytes = len(each.text.encode())
                if text_bytes > most_bytes:
                    raise _too_long(index, context_tokens, -(-text_bytes // self._parts.max_bytes_per_token))
                ids = await self._parts.engine.tokenize(each)
            else:
                ids = each.ids
            _check_ids(index, ids, capabilities)
            found.append(ids)
            ids_in_turn += len(ids)
            if index % _TEXTS_PER_TURN == 0 or ids_in_turn >= _IDS_PER_TURN:
                ids_in_turn = 0
                await asyncio.sleep(0)
        self._check_permitted(sum(map(len, found)))
        return found

    def _check_lengths(self, context_tokens: int) -> None:
        """Raises what the lengths of ids tell, before anyone goes through them."""
        tokens = 0
        for index, each in enumerate(self._order.inputs):
            if isinstance(each, TokenIds):
                if len(each.ids) > context_tokens:
                    raise _too_long(index, context_tokens, len(each.ids))
                tokens += len(each.ids)
        self._check_permitted(tokens)

    def _check_permitted(self, tokens: int) -> None:
        permitted = self._order.claims.max_input_tokens
        if tokens > permitted:
            numbers = Numbers(limit=permitted, requested=tokens)
            raise ComptoirError(Reason.TICKET_LIMIT_EXCEEDED, field="inputs", numbers=numbers)

    async def _vectors(self, inputs: Iterable[Sequence[int]], size: int, *, first: int) -> list[bytes]:
        """Returns the vectors of inputs that the engine has at once, of which the first has a number."""
        engine, claims = self._parts.engine, self._order.claims
        has_priority = Feature.PRIORITY in engine.capabilities.features
        # As if it came now: what waits goes before it, though the request came earlier.
        now_seconds = self._parts.clock.monotonic_seconds()
        priority = self._parts.queue.number(claims.priority, now_seconds) if has_priority else None
        tasks: list[asyncio.Task[bytes]] = []
        for index, ids in enumerate(inputs, first):
            self._input_tokens += len(ids)
            request = VectorRequest(f"{claims.ticket_id.hex}-{index}", ids, size, priority)
            tasks.append(asyncio.create_task(_in_turn(engine, request)))
        try:
            return await asyncio.gather(*tasks)
        finally:
            # Where one failed, or the caller went, the engine must not go on with the others.
            if not all(task.done() for task in tasks):
                self._parts.recorder.finish(_end(tasks))


async def _in_turn(engine: Engine, request: VectorRequest) -> bytes:
    # Each of many is some tenths of a millisecond to begin.
    await turn()
    return await engine.embed(request)


async def _end(tasks: Sequence[asyncio.Task[bytes]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _size_of(order: EmbedOrder, sizes: Sequence[int]) -> int:
    """Returns how many numbers each vector has; raises where the model has no such vectors, or too many."""
    whole, *smaller = sizes
    size = order.dimensions or whole
    if size not in sizes:
        reason = Reason.REQUEST_INVALID if smaller else Reason.PARAMETER_UNSUPPORTED
        raise ComptoirError(reason, field="dimensions")
    most = MOST_BYTES // (_BYTES_PER_NUMBER * size)
    if len(order.inputs) > most:
        numbers = Numbers(limit=most, requested=len(order.inputs))
        raise ComptoirError(Reason.REQUEST_INVALID, field="inputs", numbers=numbers)
    return size


def _check_ids(index: int, ids: Sequence[int], capabilities: Capabilities) -> None:
    if len(ids) > capabilities.context_tokens:
        raise _too_long(index, capabilities.context_tokens, len(ids))
    if not ids or max(ids) >= capabilities.vocabulary_tokens:
        raise ComptoirError(Reason.REQUEST_INVALID, field=f"inputs[{index}]")


def _too_long(index: int, context_tokens: int, tokens: int) -> ComptoirError:
    numbers = Numbers(limit=context_tokens, requested=tokens)
    return ComptoirError(Reason.CONTEXT_TOO_LONG, field=f"inputs[{index}]", numbers=numbers)


def _parts(inputs: Sequence[Sequence[int]]) -> Iterator[list[Sequence[int]]]:
    """Yields inputs in order, so many at once as the engine may have of one request."""
    part: list[Sequence[int]] = []
    tokens = 0
    for ids in inputs:
        if part and (len(part) == INPUTS_AT_ONCE or tokens + len(ids) > TOKENS_AT_ONCE):
            yield part
            part, tokens = [], 0
        part.append(ids)
        tokens += len(ids)
    if part:
        yield part


def _joined(vectors: Sequence[bytes]) -> Iterator[bytes]:
    """Yields vectors one behind the other, as many as make a message."""
    each = max(1, _PART_BYTES // len(vectors[0]))
    for start in range(0, len(vectors), each):
        yield b"".join(vectors[start : start + each])
