"""Reads all that the event log holds, as bytes."""

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition

_READ_SECONDS = 30


async def every_record(bootstrap: str) -> list[bytes]:
    """Key, value and headers of every record of every topic of ours, decompressed."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
    )
    async with asyncio.timeout(_READ_SECONDS), consumer:
        topics = [topic for topic in await consumer.topics() if topic.startswith("comptoir.")]
        parts = [part for topic in topics for part in await _partitions(consumer, topic)]
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        await consumer.seek_to_beginning(*parts)
        found: list[bytes] = []
        while any([await consumer.position(part) < ends[part] for part in parts]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    headers = b"".join(name.encode() + value for name, value in record.headers)
                    found.append((record.key or b"") + (record.value or b"") + headers)
        return found


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[object]:
    return [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
