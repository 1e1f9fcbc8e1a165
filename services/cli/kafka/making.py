"""Makes a cluster what is declared, one deviation after the other, and says what it did and what not."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from deploy.kafka.declaration import Acl, Topic
from services.cli.kafka.plan import Cure, Deviation

_OPTIONS: Final = {Cure.SHORTEN: "--allow-shorter-retention", Cure.REVOKE: "--revoke"}


class Cluster(Protocol):
    """What can be changed in a cluster."""

    def create(self, topic: Topic) -> None:
        """Creates a topic."""

    def add_partitions(self, topic: Topic) -> None:
        """Gives a topic as many partitions as are declared."""

    def set_config(self, name: str, key: str, value: str) -> None:
        """Sets one value of a topic."""

    def grant(self, acl: Acl) -> None:
        """Adds a right."""

    def revoke(self, acl: Acl) -> None:
        """Removes a right."""


@dataclass
class Making:
    """What is allowed beyond what harms nobody, what was changed, and what was left."""

    allowed: frozenset[Cure] = frozenset()
    changed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def make(self, deviations: Sequence[Deviation], cluster: Cluster | None) -> None:
        """Mends what can be mended without a record or a right less than before; None changes nothing."""
        for deviation in deviations:
            if (why := self._why_not(deviation)) is not None:
                self.left.append(f"{deviation.subject}: {_difference(deviation)}; {why}.")
                continue
            if cluster is not None:
                _mend(deviation, cluster)
            self.changed.append(f"{deviation.subject}: {_difference(deviation)}")

    def _why_not(self, deviation: Deviation) -> str | None:
        if deviation.cure is Cure.BY_HAND:
            return deviation.advice
        if deviation.cure in _OPTIONS and deviation.cure not in self.allowed:
            return f"that {_consequence(deviation)}, so it takes {_OPTIONS[deviation.cure]}"
        return None


def _consequence(deviation: Deviation) -> str:
    if deviation.cure is Cure.SHORTEN:
        return "deletes records"
    is_denied = deviation.acl is not None and deviation.acl.is_denied
    return "lets it do what it was denied" if is_denied else "takes a right away"


def _difference(deviation: Deviation) -> str:
    return f"{deviation.found}, declared: {deviation.declared}"


def _mend(deviation: Deviation, cluster: Cluster) -> None:
    topic, acl = deviation.topic, deviation.acl
    match deviation.cure:
        case Cure.CREATE if topic is not None:
            cluster.create(topic)
        case Cure.PARTITIONS if topic is not None:
            cluster.add_partitions(topic)
        case Cure.CONFIG | Cure.SHORTEN if topic is not None:
            cluster.set_config(topic.name, deviation.key, topic.configs[deviation.key])
        case Cure.GRANT if acl is not None:
            cluster.grant(acl)
        case Cure.REVOKE if acl is not None:
            cluster.revoke(acl)
        case _:
            raise AssertionError(deviation.cure)
