"""Kafka that does not answer is a matter of time: starting may be tried again, and stopping always works."""

import pytest

from pipelines.usage.adapters.kafka_dead_letters import KafkaDeadLetters
from pipelines.usage.adapters.kafka_source import KafkaSource
from pipelines.usage.domain.errors import UnavailableError
from pipelines.usage.settings import KafkaSettings

NOWHERE = KafkaSettings(bootstrap="127.0.0.1:9")


async def nothing() -> None:
    return


async def test_the_source_can_be_started_again_and_stopped_though_it_never_started() -> None:
    source = KafkaSource(NOWHERE, ["topic"])
    for _ in range(2):
        with pytest.raises(UnavailableError):
            await source.start(nothing)
    assert not source.is_member
    await source.stop()


async def test_the_dead_letters_can_be_started_again_and_stopped_though_they_never_started() -> None:
    letters = KafkaDeadLetters(NOWHERE, "topic")
    for _ in range(2):
        with pytest.raises(UnavailableError):
            await letters.start()
    await letters.stop()
