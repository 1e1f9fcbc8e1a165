"""Writes the deltas of a delivery as an endpoint's answer: a stream, or one whole body."""

import asyncio
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Protocol

from services.edge.domain.generation import Counts, Delta
from services.edge.domain.openai.pieces import joined
from services.edge.domain.openai.rate_limits import quota_headers
from services.edge.domain.openai.retirement import retirement_headers
from services.edge.server.delivery import Delivery
from services.edge.server.http.exchange import JSON_TYPE, STREAM_HEADERS, Exchange
from services.edge.server.http.watches import KeepAlive, WaitNotice
from services.edge.server.joined_delivery import JoinedDelivery
from services.edge.server.large_answers import GrowingPlace


class StreamWriter(Protocol):
    """How an endpoint writes the server-sent events of one answer."""

    @property
    def held_bytes(self) -> int:
        """How many bytes of what it wrote it holds, to repeat them at the end."""
        ...

    def opening(self, model_name: str) -> bytes:
        """Returns what comes before any delta, once it is known which model answers."""
        ...

    def frames(self, delta: Delta) -> bytes:
        """Returns the frames of one delta, which it is given once; none where it says nothing."""
        ...

    def closing(self, counts: Counts) -> Iterable[bytes | bytearray]:
        """Returns what comes after the last delta, to the end of the stream, in pieces."""
        ...

    def failure(self, error_body: bytes) -> bytes:
        """Returns what comes in place of the rest where the answer fails, to the end of the stream."""
        ...


class WholeAnswer(Protocol):
    """How an endpoint puts one answer together."""

    @property
    def held_bytes(self) -> int:
        """How many bytes it holds by now: about as many as it will have."""
        ...

    def add(self, delta: Delta) -> None:
        """Takes one delta."""
        ...

    def parts(self, counts: Counts, model_name: str) -> Iterator[bytes | bytearray]:
        """Yields the JSON of all that was added, in pieces."""
        ...


async def send_stream(
    exchange: Exchange,
    delivery: Delivery | JoinedDelivery,
    writer: StreamWriter,
    place: GrowingPlace,
    *,
    ping_seconds: float,
) -> None:
    """Sends headers, then the frames of each delta as it comes.

    The headers wait for a replica that accepts the request, so that a refusal keeps its real status, and for
    a second at most: a client that hears nothing gives up sooner than the router does. Where the first text
    is there by then, all of it is one write.
    """
    event, held = exchange.event, b""

    def take(delta: Delta) -> bool:
        place.grow(writer.held_bytes)
        return not held and place.refusal is None and exchange.try_write(partial(writer.frames, delta))

    def write_failure(error_body: bytes) -> bytes:
        return held + writer.failure(error_body)

    exchange.write_failure = write_failure
    with WaitNotice(exchange):
        await delivery.start()
    if not exchange.is_started:
        await exchange.begin(200, [*STREAM_HEADERS, *answer_headers(delivery)])
    held = writer.opening(delivery.model_name)
    if not delivery.is_delta_waiting:
        await exchange.write(held)
        held = b""
    with KeepAlive(exchange, idle_seconds=ping_seconds):
        # Behind the first text, which is timed here, a text is written where it comes, without this task.
        while (delta := await delivery.next_delta(take if event.first_text_seconds else None)) is not None:
            frames = writer.frames(delta)
            place.grow(writer.held_bytes)
            _check(exchange, place)
            if delta.finish is not None:
                # Mostly nothing follows but the counts, and one write costs less than two.
                held += frames
            elif frames:
                event.first_text_seconds = event.first_text_seconds or exchange.clock.monotonic_seconds()
                await exchange.write(held + frames)
                held = b""
    await _end(exchange, chain((held,), writer.closing(delivery.counts)))


async def send_whole(
    exchange: Exchange, delivery: Delivery | JoinedDelivery, answer: WholeAnswer, place: GrowingPlace
) -> None:
    """Sends one body when all deltas have come; raises as `place` does where it may not be held till then."""

    def take(delta: Delta) -> bool:
        if place.refusal is None:
            answer.add(delta)
            place.grow(answer.held_bytes)
            return True
        return False

    await delivery.start()
    while (delta := await delivery.next_delta(take)) is not None:
        _check(exchange, place)
        answer.add(delta)
        place.grow(answer.held_bytes)
    _check(exchange, place)
    pieces = list(answer.parts(delivery.counts, delivery.model_name))
    length = (b"content-length", b"%d" % sum(map(len, pieces)))
    exchange.event.first_text_seconds = exchange.clock.monotonic_seconds()
    await exchange.begin(200, [JSON_TYPE, length, *answer_headers(delivery)])
    await _end(exchange, pieces)


def _check(exchange: Exchange, place: GrowingPlace) -> None:
    """Raises as `place` does; what was generated is counted, and lost."""
    exchange.is_answer_lost = place.refusal is not None
    place.check()


async def _end(exchange: Exchange, pieces: Iterable[bytes | bytearray]) -> None:
    """Sends the rest of a body: few bytes in one write, more of them as the client reads them."""
    last = b""
    for part in joined(pieces):
        if last:
            exchange.is_within_piece = True
            await exchange.write(last)
            # A client that reads fast does not make others wait.
            await asyncio.sleep(0)
        last = part
    await exchange.end(last)


def answer_headers(delivery: Delivery | JoinedDelivery) -> list[tuple[bytes, bytes]]:
    """Returns what the answer of an admitted request says of its key's quota, and of its model's name."""
    return [*quota_headers(delivery.quota), *retirement_headers(delivery.model_name, delivery.retirement)]
