"""Makes the topics exist, through the broker's own administration; one of the few doors to aiokafka."""

import asyncio
from collections.abc import Sequence
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from deploy.local.kafka.settings import TopicSettings

_HOUR_MILLISECONDS: Final = 3_600_000
_PAUSE_SECONDS: Final = 0.05


class TopicsError(Exception):
    """The topics are not as the settings want them; the text is one sentence."""


async def ensure(address: str, topics: Sequence[TopicSettings]) -> None:
    """Creates what is missing, sets each topic's retention, and returns once every partition has a leader.

    The caller bounds the wait. Raises KafkaError where the broker does not answer, TopicsError where it
    refuses or where a topic has other partitions than the settings say.
    """
    client = AIOKafkaAdminClient(bootstrap_servers=address, client_id="comptoir-local-kafka")
    try:
        await client.start()
        found = await _partitions(client)
        for topic in topics:
            _check_partitions(topic, found.get(topic.name))
        await _create(client, [topic for topic in topics if topic.name not in found])
        await client.alter_configs(
            [
                ConfigResource(ConfigResourceType.TOPIC, topic.name, _configs(topic))
                for topic in topics
                if topic.name in found
            ]
        )
        wanted = {topic.name: topic.partitions for topic in topics}
        while not wanted.items() <= (await _partitions_with_leader(client)).items():  # noqa: ASYNC110
            await asyncio.sleep(_PAUSE_SECONDS)  # the broker tells nobody when it is done
    finally:
        await client.close()


async def _partitions(client: AIOKafkaAdminClient) -> dict[str, int]:
    """Returns the partitions of each topic, also those that have no leader just after a start."""
    return {topic["topic"]: len(topic["partitions"]) for topic in await client.describe_topics()}


async def _partitions_with_leader(client: AIOKafkaAdminClient) -> dict[str, int]:
    return {
        topic["topic"]: sum(1 for partition in topic["partitions"] if partition["leader"] >= 0)
        for topic in await client.describe_topics()
    }


def _check_partitions(topic: TopicSettings, found: int | None) -> None:
    if found is not None and found != topic.partitions:
        # A producer keeps its partition for as long as its sequence counts: never changed in passing.
        raise TopicsError(
            f"the topic {topic.name} has {found} partitions and the settings say {topic.partitions}; "
            "set it back, or start on an empty data folder."
        )


async def _create(client: AIOKafkaAdminClient, topics: Sequence[TopicSettings]) -> None:
    if not topics:
        return
    answer = await client.create_topics(
        [NewTopic(topic.name, topic.partitions, 1, topic_configs=_configs(topic)) for topic in topics]
    )
    for name, code, *_ in answer.topic_errors:
        error: type[KafkaError] = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise TopicsError(f"the broker refused to create the topic {name} ({error.__name__}).")


def _configs(topic: TopicSettings) -> dict[str, str]:
    """Returns the topic's own retention, or nothing, which leaves it to the broker's."""
    hours = topic.retention_hours
    return {} if hours is None else {"retention.ms": str(hours * _HOUR_MILLISECONDS)}
