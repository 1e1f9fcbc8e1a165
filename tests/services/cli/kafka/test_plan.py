"""Where a cluster is not as declared, and what each difference takes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.kafka.declaration import Acl, read_declaration
from services.cli.kafka.plan import Cure, Found, FoundTopic, deviations_of

OURS = read_declaration()
NAME = "comptoir.generation.v1"
AS_DECLARED = Found(
    {
        topic.name: FoundTopic(topic.partitions, topic.replication_factor, {**topic.configs, "other": "1"})
        for topic in OURS.each_topic()
    },
    OURS.acls,
)


def found(name: str = NAME, configs: dict[str, str] | None = None, **changes: Any) -> Found:
    has = AS_DECLARED.topics[NAME]
    changed = has._replace(configs={**has.configs, **(configs or {})}, **changes)
    return Found({**AS_DECLARED.topics, name: changed}, AS_DECLARED.acls)


def cures(of: Found) -> list[tuple[Cure, str]]:
    return [(deviation.cure, deviation.subject) for deviation in deviations_of(OURS, of)]


def test_what_is_as_declared_has_no_deviation_whatever_else_a_topic_has() -> None:
    assert deviations_of(OURS, AS_DECLARED) == []


def test_an_empty_cluster_lacks_everything() -> None:
    kinds = [cure for cure, _ in cures(Found())]
    assert kinds == [Cure.CREATE] * len(OURS.topics) + [Cure.GRANT] * len(OURS.acls)


@pytest.mark.parametrize(
    ("of", "cure", "words"),
    [
        (found(partitions=3), Cure.PARTITIONS, "3 partitions"),
        (found(partitions=24), Cure.BY_HAND, "24 partitions"),
        (found(replication_factor=1), Cure.BY_HAND, "1 copies"),
        (found(configs={"min.insync.replicas": "1"}), Cure.CONFIG, "min.insync.replicas 1"),
        (found(configs={"max.message.bytes": "4194304"}), Cure.CONFIG, "max.message.bytes 4194304"),
        (found(configs={"retention.ms": "60000"}), Cure.CONFIG, "retention.ms 60000"),
        (found(configs={"retention.ms": "2592000000"}), Cure.SHORTEN, "retention.ms 2592000000"),
        (found(configs={"retention.ms": "-1"}), Cure.SHORTEN, "retention.ms -1"),
        (found(configs={"retention.bytes": "1000"}), Cure.CONFIG, "retention.bytes 1000"),
        (found(configs={"cleanup.policy": "compact"}), Cure.SHORTEN, "cleanup.policy compact"),
    ],
)
def test_a_topic_that_differs_takes_what_loses_nothing_or_says_so(of: Found, cure: Cure, words: str) -> None:
    (deviation,) = deviations_of(OURS, of)
    assert (deviation.cure, deviation.subject, deviation.found) == (cure, NAME, words)


def test_no_more_copies_are_asked_to_be_in_sync_than_there_are() -> None:
    of = found(replication_factor=1, configs={"min.insync.replicas": "1"})
    assert cures(of) == [(Cure.BY_HAND, NAME), (Cure.BY_HAND, NAME)]


@given(before=st.integers(-1, 10**12), after=st.integers(-1, 10**12))
def test_whatever_lets_kafka_delete_earlier_is_a_shorter_life(before: int, after: int) -> None:
    ages = {**OURS.topic_defaults.configs, "retention.ms": str(after)}
    defaults = OURS.topic_defaults.model_copy(update={"configs": ages})
    declaration = OURS.model_copy(update={"topic_defaults": defaults, "topics": OURS.topics[:1]})
    name = OURS.topics[0].name
    topic = AS_DECLARED.topics[name]
    has = Found({name: topic._replace(configs={**ages, "retention.ms": str(before)})}, OURS.acls)
    lives = [float("inf") if age < 0 else age for age in (before, after)]
    expected = [] if before == after else [Cure.SHORTEN if lives[1] < lives[0] else Cure.CONFIG]
    assert [deviation.cure for deviation in deviations_of(declaration, has)] == expected


def test_a_topic_that_nobody_declared_is_told_and_left() -> None:
    assert cures(found("comptoir.other.v1")) == [(Cure.BY_HAND, "comptoir.other.v1")]


def with_acls(*more: Acl, without: frozenset[Acl] = frozenset()) -> Found:
    return Found(AS_DECLARED.topics, (OURS.acls - without) | set(more))


@pytest.mark.parametrize(
    ("acl", "cure"),
    [
        (Acl("User:emitter", "Read", "topic", NAME), Cure.REVOKE),
        (Acl("User:emitter", "All", "topic", "*"), Cure.REVOKE),
        (Acl("User:usage", "Describe", "cluster", "kafka-cluster"), Cure.REVOKE),
        (Acl("User:usage", "Write", "topic", "elsewhere"), Cure.REVOKE),
        (Acl("User:other", "Read", "topic", NAME), Cure.BY_HAND),
        (Acl("User:other", "Read", "topic", "*"), Cure.BY_HAND),
        (Acl("User:*", "Read", "topic", "comp", is_prefix=True), Cure.BY_HAND),
        (Acl("User:other", "Read", "topic", "comptoir.x", is_prefix=True), Cure.BY_HAND),
        (Acl("User:other", "Write", "topic", "comptoir.x"), Cure.BY_HAND),
        (Acl("User:other", "Read", "group", "comptoir-usage"), Cure.BY_HAND),
        (Acl("User:other", "Read", "group", "*"), Cure.BY_HAND),
        (Acl("User:other", "Write", "topic", NAME, is_denied=True), Cure.BY_HAND),
        # Who may alter the cluster may give itself any right.
        (Acl("User:*", "Alter", "cluster", "kafka-cluster"), Cure.BY_HAND),
        (Acl("User:other", "All", "cluster", "kafka-cluster"), Cure.BY_HAND),
        (Acl("User:other", "AlterConfigs", "cluster", "kafka-cluster"), Cure.BY_HAND),
        (Acl("User:other", "ClusterAction", "cluster", "kafka-cluster"), Cure.BY_HAND),
        (Acl("User:other", "Create", "cluster", "kafka-cluster"), Cure.BY_HAND),
        # What the client's library has no word for cannot be asked to go.
        (Acl("User:usage", "Describe", "other", "x"), Cure.BY_HAND),
        (Acl("User:usage", "Unknown", "topic", NAME), Cure.BY_HAND),
    ],
)
def test_a_right_too_many_is_told_whosever_it_is(acl: Acl, cure: Cure) -> None:
    (deviation,) = deviations_of(OURS, with_acls(acl))
    assert (deviation.cure, deviation.subject, deviation.found) == (cure, acl.principal, str(acl))


@pytest.mark.parametrize(
    "acl",
    [
        Acl("User:other", "Read", "topic", "elsewhere"),
        Acl("User:other", "All", "topic", "elsewhere.", is_prefix=True),
        Acl("User:other", "Read", "topic", "comptoi"),
        Acl("User:other", "Read", "group", "theirs"),
        Acl("User:other", "Describe", "cluster", "kafka-cluster"),
        Acl("User:other", "IdempotentWrite", "cluster", "kafka-cluster"),
    ],
)
def test_what_others_may_elsewhere_is_nobodys_business_here(acl: Acl) -> None:
    assert deviations_of(OURS, with_acls(acl)) == []


def test_each_missing_right_is_granted() -> None:
    lost = frozenset(acl for acl in OURS.acls if acl.principal == "User:usage")
    deviations = deviations_of(OURS, with_acls(without=lost))
    assert {deviation.acl for deviation in deviations} == lost
    assert {deviation.cure for deviation in deviations} == {Cure.GRANT}


def test_a_cluster_without_an_authorizer_is_told_as_one_deviation() -> None:
    assert cures(Found(AS_DECLARED.topics, None)) == [(Cure.BY_HAND, "rights")]
