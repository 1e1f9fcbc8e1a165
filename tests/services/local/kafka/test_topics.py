import pytest

from services.local.kafka.settings import TopicSettings
from services.local.kafka.topics import TopicsError, _check_partitions, _configs

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
