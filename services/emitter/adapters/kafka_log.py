"""Frames as records of Apache Kafka; the only file that knows aiokafka.

One record batch per kind is under way at a time, and a batch enters a partition whole or not at all. So no
frame can be in the log before the frames that precede it, which the reader's high-water mark relies on;
single records would not promise that, because a record that fails lets the next one pass.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from services.contract.events import Kind
from services.contract.frame import Frame
from services.emitter.domain.ports import LogUnavailableError
from services.runtime.kafka_target import KafkaTarget

_BATCH_BYTES: Final = 512 * 1024
_REQUEST_TIMEOUT_MILLISECONDS: Final = 10_000
_CLOSE_SECONDS: Final = 5.0

Result = TypeVar("Result")


class KafkaLog:
    """An `EventLog` over an idempotent producer that waits for all in-sync replicas.

    After an error the producer is replaced: aiokafka's does not recover from an out-of-order sequence
    (aio-libs/aiokafka#1017). The reader recognises what the old producer may still have delivered.
    """

    def __init__(self, target: KafkaTarget, *, confirm_seconds: float) -> None:
        # Once: what it names in files is read again for each connection.
        self._reach = target.connection()
        self._confirm_seconds = confirm_seconds
        self._connection: _Connection | None = None
        self._opening = asyncio.Lock()

    async def partitions(self, kind: Kind) -> int:
        """Returns how many partitions the kind's topic has."""
        return len(await self._bounded(lambda connection: connection.partitions(kind.topic)))

    async def append(self, frames: Sequence[Frame], partition: int) -> None:
        """Appends frames of one kind in order; returns once all in-sync replicas have them."""
        await self._bounded(lambda connection: connection.append(frames, partition))

    async def close(self) -> None:
        """Closes the connection."""
        if self._connection is not None:
            await self._replace(self._connection)

    async def _bounded(self, work: "Callable[[_Connection], Awaitable[Result]]") -> Result:
        """Does `work` within the time allowed; any failure but a missing topic replaces the connection."""
        connection = None
        try:
            async with asyncio.timeout(self._confirm_seconds):
                connection = await self._connected()
                return await work(connection)
        except UnknownTopicOrPartitionError as error:
            raise LogUnavailableError(type(error).__name__) from None
        except (KafkaError, TimeoutError) as error:
            if connection is not None:
                await self._replace(connection)
            raise LogUnavailableError(type(error).__name__) from None

    async def _connected(self) -> "_Connection":
        async with self._opening:
            if self._connection is None:
                self._connection = await _connect(self._reach)
            return self._connection

    async def _replace(self, connection: "_Connection") -> None:
        if self._connection is connection:
            self._connection = None
        await connection.end()


class _Connection:
    """One producer, from its start to its end."""

    def __init__(self, producer: Any) -> None:  # aiokafka has no types
        self._producer = producer
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def partitions(self, topic: str) -> set[int]:
        """Returns the topic's partitions; UnknownTopicOrPartitionError if the cluster has no such topic."""
        partitions: set[int] = await self._producer.partitions_for(topic)
        return partitions

    async def append(self, frames: Sequence[Frame], partition: int) -> None:
        """Sends the frames' batches one after the other."""
        topic = frames[0].kind.topic
        if partition not in await self.partitions(topic):
            raise UnknownTopicOrPartitionError
        for batch in _batches(self._producer, frames):
            delivery = await self._producer.send_batch(batch, topic, partition=partition)
            delivery.add_done_callback(_read_failure)
            await asyncio.wait({delivery, self._ended}, return_when=asyncio.FIRST_COMPLETED)
            if not delivery.done():
                raise LogUnavailableError
            delivery.result()

    async def end(self) -> None:
        """Closes the producer without waiting for what it cannot deliver; the spool still has that.

        aiokafka's own `stop` flushes first, which takes as long as the outage does. So its sender is
        ended by hand before the client is closed.
        """
        if self._ended.done():
            return
        self._ended.set_result(None)
        with contextlib.suppress(KafkaError, TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._producer._sender.close()  # noqa: SLF001 - see above
        await _close_client(self._producer)


async def _connect(reach: Mapping[str, Any]) -> _Connection:
    producer = AIOKafkaProducer(
        **reach,
        client_id="comptoir-emitter",
        enable_idempotence=True,
        acks="all",
        compression_type="zstd",
        max_batch_size=_BATCH_BYTES,
        request_timeout_ms=_REQUEST_TIMEOUT_MILLISECONDS,
    )
    try:
        await producer.start()
    except BaseException:
        await _close_client(producer)
        raise
    return _Connection(producer)


def _read_failure(delivery: asyncio.Future[Any]) -> None:
    """Reads what a delivery failed with: if nobody waits any more, asyncio would log it as an error."""
    if not delivery.cancelled():
        delivery.exception()


async def _close_client(producer: Any) -> None:
    await producer.client.close()
    producer._closed = True  # noqa: SLF001 - else its finalizer says that nobody closed it


def _batches(producer: Any, frames: Sequence[Frame]) -> Iterator[Any]:
    """Returns the frames as sealed record batches, in order; a larger frame has a batch to itself."""
    batch = producer.create_batch()
    for frame in frames:
        key = frame.producer_id.to_bytes(8, "big")
        if batch.append(timestamp=None, key=key, value=frame.value) is None:
            yield batch
            batch = producer.create_batch()
            batch.append(timestamp=None, key=key, value=frame.value)
    batch.close()  # a closed batch does not linger
    yield batch
