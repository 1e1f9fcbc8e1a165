"""Kafka that does not answer is a matter of time: starting may be tried again, and stopping always works."""

from types import SimpleNamespace

import pytest
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError

from pipelines.usage.adapters.kafka_dead_letters import KafkaDeadLetters
from pipelines.usage.adapters.kafka_lag import KafkaLag
from pipelines.usage.adapters.kafka_source import KafkaSource, stamp_of
from pipelines.usage.domain.clocks import Stamp
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


def kafkas(offset: int) -> SimpleNamespace:
    return SimpleNamespace(offset=offset, value=b"x", timestamp=7, timestamp_type=1)


async def test_records_that_the_log_no_longer_has_are_counted_where_reading_goes_on() -> None:
    source, place = KafkaSource(NOWHERE, ["topic"]), TopicPartition("topic", 0)
    source._next[place] = 10
    found = [*source._records(place, [kafkas(50), kafkas(51)]), *source._records(place, [kafkas(53)])]
    assert [(record.offset, record.skipped) for record in found] == [(50, 40), (51, 0), (53, 1)]
    await source.stop()


async def test_who_never_committed_skips_nothing() -> None:
    source, place = KafkaSource(NOWHERE, ["topic"]), TopicPartition("topic", 0)
    source._next[place] = None
    assert [record.skipped for record in source._records(place, [kafkas(50)])] == [0]
    await source.stop()


async def test_a_topic_that_may_not_be_seen_is_not_one_in_which_nothing_waits() -> None:
    async def described(_: object) -> list[dict[str, object]]:
        return [{"topic": "topic", "error_code": TopicAuthorizationFailedError.errno, "partitions": []}]

    lag = KafkaLag(NOWHERE, ["topic"])
    admin = SimpleNamespace(describe_topics=described, close=nothing)
    lag._connection = admin, SimpleNamespace(close=nothing)
    with pytest.raises(UnavailableError, match="TopicAuthorizationFailedError"):
        await lag.measure()


def named(name: str) -> KafkaSource:
    return KafkaSource(NOWHERE.model_copy(update={"group_instance_id": name}), ["topic"])


async def rejoin(source: KafkaSource, member_id: str) -> None:
    """What the library calls when the group begins anew; it has no id where the group knew it no longer."""
    source._consumer._coordinator = SimpleNamespace(member_id=member_id, close=nothing)
    await source.on_partitions_revoked([])
    await source.on_partitions_assigned([])


@pytest.mark.parametrize(("name", "member_id"), [("usage", "usage-1"), ("", "")])
async def test_a_group_that_is_balanced_anew_is_no_quarrel_about_a_name(name: str, member_id: str) -> None:
    source = named(name)
    for _ in range(5):
        await rejoin(source, member_id)
    assert not source.is_name_contested
    await source.stop()


async def test_a_member_that_another_one_replaces_again_and_again_says_which_setting_is_wrong() -> None:
    source = named("usage")
    with structlog.testing.capture_logs() as lines:
        for _ in range(20):
            await rejoin(source, "")
    assert source.is_name_contested
    assert [(line["event"], line["field"]) for line in lines] == [
        ("another_member_has_this_name", "usage.kafka.group_instance_id")
    ]
    await source.stop()


def test_a_stamp_says_whose_it_is() -> None:
    assert stamp_of(kafkas(1)) == Stamp(7_000, is_brokers=True)
    assert stamp_of(SimpleNamespace(timestamp=7, timestamp_type=0)) == Stamp(7_000, is_brokers=False)
    assert stamp_of(SimpleNamespace(timestamp=-1, timestamp_type=0)) is None
