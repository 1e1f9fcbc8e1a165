"""Where a cluster is not as it is declared, and what would make it so; pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from deploy.kafka.declaration import Acl, KafkaDeclaration, Topic

# What Kafka may delete records by; a smaller number is a shorter life, and a negative one has no end.
_AGES: Final = frozenset({"retention.ms", "segment.ms", "retention.bytes"})
# With these on the cluster one has, or can give oneself, rights on every topic.
_OVER_ALL: Final = frozenset({"All", "Alter", "AlterConfigs", "ClusterAction", "Create"})
_IN_SYNC: Final = "min.insync.replicas"


class Cure(Enum):
    """What is done about a deviation."""

    CREATE = "create the topic"
    PARTITIONS = "add partitions"
    CONFIG = "set it"
    SHORTEN = "set it, which deletes records"
    GRANT = "grant it"
    REVOKE = "revoke it"
    BY_HAND = "by hand"


class Deviation(NamedTuple):
    """One thing that is not as it is declared; `advice` is for what no command does."""

    cure: Cure
    subject: str
    found: str
    declared: str
    advice: str = ""
    topic: Topic | None = None
    key: str = ""
    acl: Acl | None = None


class FoundTopic(NamedTuple):
    """A topic as the cluster has it; its smallest number of copies counts."""

    partitions: int
    replication_factor: int
    configs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """What the cluster has: topics with the prefix, and rights, or None where it knows no rights."""

    topics: Mapping[str, FoundTopic] = field(default_factory=dict)
    acls: frozenset[Acl] | None = frozenset()


def deviations_of(declaration: KafkaDeclaration, found: Found) -> list[Deviation]:
    """Returns where the cluster is not as declared, in the order in which it is mended."""
    return [*_of_topics(declaration, found.topics), *_of_acls(declaration, found.acls)]


def _of_topics(declaration: KafkaDeclaration, found: Mapping[str, FoundTopic]) -> Iterator[Deviation]:
    declared = declaration.each_topic()
    for topic in declared:
        if topic.name not in found:
            copies = f"{topic.partitions} partitions, {topic.replication_factor} copies"
            yield Deviation(Cure.CREATE, topic.name, "missing", copies, topic=topic)
        else:
            yield from _of_topic(topic, found[topic.name])
    for name in sorted(found.keys() - {topic.name for topic in declared}):
        advice = "declare it, or delete it with kafka-topics.sh: nothing here deletes records"
        yield Deviation(Cure.BY_HAND, name, "is there", "no such topic", advice)


def _of_topic(topic: Topic, found: FoundTopic) -> Iterator[Deviation]:
    subject, declared = topic.name, topic.partitions
    numbers = f"{found.partitions} partitions", f"{declared} partitions"
    if found.partitions < declared:
        yield Deviation(Cure.PARTITIONS, subject, *numbers, topic=topic)
    elif found.partitions > declared:
        advice = f"declare {found.partitions}: partitions cannot be removed without their records"
        yield Deviation(Cure.BY_HAND, subject, *numbers, advice)
    if found.replication_factor != topic.replication_factor:
        copies = f"{found.replication_factor} copies", f"{topic.replication_factor} copies"
        yield Deviation(Cure.BY_HAND, subject, *copies, "move them with kafka-reassign-partitions.sh")
    for key, value in topic.configs.items():
        has = found.configs.get(key, "unknown to this Kafka")
        if has != value and key == _IN_SYNC and int(value) > found.replication_factor:
            advice = "give it as many copies first: with fewer, a Kafka before 4 takes no record at all"
            yield Deviation(Cure.BY_HAND, subject, f"{key} {has}", f"{key} {value}", advice)
        elif has != value:
            cure = Cure.SHORTEN if _deletes(key, has, value) else Cure.CONFIG
            yield Deviation(cure, subject, f"{key} {has}", f"{key} {value}", topic=topic, key=key)


def _deletes(key: str, has: str, value: str) -> bool:
    """Returns whether the change lets Kafka delete what it would have kept."""
    if key == "cleanup.policy":
        return "compact" in value or "delete" not in has
    try:
        before, after = int(has), int(value)
    except ValueError:
        return False
    return key in _AGES and after >= 0 and (before < 0 or after < before)


def _of_acls(declaration: KafkaDeclaration, found: frozenset[Acl] | None) -> Iterator[Deviation]:
    if found is None:
        advice = "set authorizer.class.name on every broker: without it everyone may read and write all"
        yield Deviation(Cure.BY_HAND, "rights", "no authorizer", "StandardAuthorizer", advice)
        return
    for acl in sorted(declaration.acls - found):
        yield Deviation(Cure.GRANT, acl.principal, "missing", str(acl), acl=acl)
    for acl in sorted(found - declaration.acls):
        if acl.principal in declaration.principals and not _can_be_named(acl):
            advice = "remove it with kafka-acls.sh: the library of this command has no word for it"
            yield Deviation(Cure.BY_HAND, acl.principal, str(acl), "nothing of it", advice, acl=acl)
        elif acl.principal in declaration.principals:
            yield Deviation(Cure.REVOKE, acl.principal, str(acl), "nothing of it", acl=acl)
        elif _is_about_ours(acl, declaration):
            advice = "declare a role for it, or remove it with kafka-acls.sh"
            yield Deviation(Cure.BY_HAND, acl.principal, str(acl), "nothing of it", advice, acl=acl)


def _can_be_named(acl: Acl) -> bool:
    return acl.resource != "other" and acl.operation != "Unknown"


def _is_about_ours(acl: Acl, declaration: KafkaDeclaration) -> bool:
    if acl.resource == "cluster":
        return acl.operation in _OVER_ALL
    if acl.resource == "topic":
        names = {declaration.prefix, *(topic.name for topic in declaration.topics)}
        return acl.name.startswith(declaration.prefix) or any(_covers(acl, name) for name in names)
    groups = {acl.name for acl in declaration.acls if acl.resource == "group"}
    return acl.resource == "group" and any(_covers(acl, name) for name in groups)


def _covers(acl: Acl, name: str) -> bool:
    if not acl.is_prefix and acl.name == "*":
        return True
    return name.startswith(acl.name) if acl.is_prefix else acl.name == name
