"""Looks at the start whether Kafka lets a process in and has its topics, and logs what is wrong."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    KafkaError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)

from services.kernel.backoff import Backoff
from services.runtime.kafka_target import KafkaTarget
from services.runtime.logs import get_logger

_log = get_logger(__name__)
_ASK_SECONDS: Final = 15.0
_CONNECT_MILLISECONDS: Final = 5_000
_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 30.0
# Of a Kafka that starts beside this process: a quarter of a minute passes until then.
_LOOKS_AT_A_START: Final = 4
# Whose name stands for Kafka as a whole.
_ALL: Final = ""
_STARTS: Final = {_ALL: ConnectionRefusedError.__name__}

Sleep = Callable[[float], Awaitable[None]]


class KafkaTopics:
    """The topics that a process needs; clients of Kafka wait for one that is missing without a word."""

    def __init__(self, target: KafkaTarget, topics: Iterable[str], *, sleep: Sleep = asyncio.sleep) -> None:
        self._reach = target.connection()
        self._topics = sorted(topics)
        self._sleep = sleep
        self._backoff = Backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)

    async def watch(self) -> None:
        """Asks until every topic can be used, and logs each trouble once; then waits for the end."""
        told: Mapping[str, str] = {}
        while troubles := await self.troubles():
            if self._backoff.failures < _LOOKS_AT_A_START and troubles == _STARTS:
                troubles = told
            for topic in sorted(troubles.keys() | told.keys()):
                if troubles.get(topic) != told.get(topic):
                    _tell(topic, troubles.get(topic))
            told = troubles
            await self._sleep(self._backoff.next_seconds(jitter=random.random()))  # noqa: S311 - spreads retries
        for topic in told:
            _tell(topic, None)
        await asyncio.Event().wait()

    async def troubles(self) -> Mapping[str, str]:
        """Returns Kafka's word for what is wrong, by topic; under no name what is wrong with all."""
        # Before the library: of why it cannot connect, it has a line in its log and no error.
        if error_type := await self._why_not():
            return {_ALL: error_type}
        client = AIOKafkaAdminClient(**self._reach, client_id="comptoir-topics")
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                await client.start()
                found = await client.describe_topics(self._topics)
        except (KafkaError, OSError, TimeoutError) as error:
            return {_ALL: type(error).__name__}
        finally:
            with contextlib.suppress(KafkaError):
                await client.close()
        errors = {topic["topic"]: for_code(topic["error_code"]) for topic in found}
        return {
            topic: error.__name__
            for topic, error in errors.items()
            if error in (UnknownTopicOrPartitionError, TopicAuthorizationFailedError)
        }

    async def _why_not(self) -> str:
        """Returns why no connection can be begun, to none of the addresses; nothing where one can."""
        options: dict[str, Any] = dict(self._reach)
        error_type = ""
        for host, port, _ in collect_hosts(options.pop("bootstrap_servers")):
            try:
                connection = await create_conn(
                    host, port, request_timeout_ms=_CONNECT_MILLISECONDS, **options
                )
            except (KafkaError, OSError, TimeoutError) as error:
                error_type = type(error).__name__
            else:
                connection.close()
                return ""
        return error_type


def _tell(topic: str, error_type: str | None) -> None:
    if error_type is None:
        _log.info("kafka_reached" if topic == _ALL else "kafka_topic_usable", topic=topic or None)
    elif topic == _ALL:
        _log.error("kafka_unreachable", error_type=error_type)
    else:
        _log.error("kafka_topic_unusable", topic=topic, error_type=error_type)
