import asyncio
from typing import Any

import pytest

from deploy.local.kafka import topics
from deploy.local.kafka.settings import TopicSettings
from deploy.local.kafka.topics import TopicsError, _check_partitions, _configs

TOPIC = TopicSettings(name="comptoir.generation.v1", partitions=4)


@pytest.mark.parametrize("found", [None, 4])
def test_a_topic_that_is_missing_or_as_wanted_passes(found: int | None) -> None:
    _check_partitions(TOPIC, found)


@pytest.mark.parametrize("found", [1, 8])
def test_other_partitions_are_refused_with_both_numbers(found: int) -> None:
    with pytest.raises(TopicsError, match=f"has {found} partitions and the settings say 4"):
        _check_partitions(TOPIC, found)


def test_a_topic_keeps_its_own_retention_or_the_brokers() -> None:
    assert _configs(TOPIC) == {}
    assert _configs(TopicSettings(name="a", retention_hours=2)) == {"retention.ms": "7200000"}


class RestartedBroker:
    """An administration client of a broker whose partitions get their leaders one after the other."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self.leaders = 0

    async def start(self) -> None:
        """Connects."""

    async def close(self) -> None:
        """Disconnects."""

    async def describe_topics(self) -> list[dict[str, Any]]:
        found = [{"leader": 1 if n < self.leaders else -1} for n in range(self._partitions)]
        self.leaders = min(self.leaders + 2, self._partitions)
        return [{"topic": TOPIC.name, "partitions": found}]

    async def alter_configs(self, _resources: object) -> None:
        """Takes any."""


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> RestartedBroker:
    restarted = RestartedBroker(TOPIC.partitions)
    monkeypatch.setattr(topics, "AIOKafkaAdminClient", lambda **_: restarted)
    monkeypatch.setattr(topics, "_PAUSE_SECONDS", 0)
    return restarted


async def test_partitions_without_a_leader_yet_are_waited_for_and_not_missed(broker: RestartedBroker) -> None:
    async with asyncio.timeout(5):
        await topics.ensure("127.0.0.1:1", [TOPIC])
    assert broker.leaders == TOPIC.partitions
