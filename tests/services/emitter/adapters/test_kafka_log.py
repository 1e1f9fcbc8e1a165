"""The Kafka log without a broker: what it leaves behind when it stops to wait for a delivery."""

import asyncio
import gc
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError
from aiokafka.producer.message_accumulator import BatchBuilder

from services.contract.events import Kind
from services.emitter.adapters.kafka_log import _Connection
from services.emitter.domain.ports import LogUnavailableError
from tests.contracts.event_log import some_frames


class Producer:
    """As much of aiokafka's as an append needs; what it sends is never delivered."""

    def __init__(self) -> None:
        self.sent = asyncio.Event()
        self.future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.client = self._sender = self

    async def partitions_for(self, _topic: str) -> set[int]:
        return {0}

    def create_batch(self) -> Any:
        return BatchBuilder(1024, 0)

    async def send_batch(self, *_: object, **__: object) -> asyncio.Future[object]:
        self.sent.set()
        # As aiokafka does, which leaves it to who sends whole batches to read what they fail with.
        return asyncio.shield(self.future)

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("is_cancelled", [True, False])
async def test_a_delivery_that_fails_when_nobody_waits_any_more_is_no_error_of_asyncio(
    is_cancelled: bool,
) -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    producer = Producer()
    connection = _Connection(producer)
    appending = asyncio.create_task(connection.append(some_frames(Kind.GENERATION, 1, 1), 0))
    await asyncio.wait_for(producer.sent.wait(), 30)
    if is_cancelled:
        appending.cancel()
    else:
        await connection.end()
    with pytest.raises(asyncio.CancelledError if is_cancelled else LogUnavailableError):
        await appending
    producer.future.set_exception(KafkaTimeoutError())
    for _ in range(3):
        await asyncio.sleep(0)
    del producer, connection, appending
    gc.collect()
    assert told == []
