"""What is made of a cluster, and what is left for an option or a person."""

import pytest

from deploy.kafka.declaration import Acl, Topic
from services.cli.kafka.making import Making
from services.cli.kafka.plan import Cure, Deviation

TOPIC = Topic("comptoir.a", 12, 3, {"retention.ms": "1", "segment.ms": "1"})
ACL = Acl("User:emitter", "Write", "topic", "comptoir.a")
SHORTER = "retention.ms 2, declared: retention.ms 1"
NUMBERS = ("3 partitions", "12 partitions")
EACH = [
    Deviation(Cure.CREATE, "comptoir.a", "missing", "12 partitions", topic=TOPIC),
    Deviation(Cure.PARTITIONS, "comptoir.a", *NUMBERS, topic=TOPIC),
    Deviation(Cure.CONFIG, "comptoir.a", "segment.ms 2", "segment.ms 1", topic=TOPIC, key="segment.ms"),
    Deviation(
        Cure.SHORTEN, "comptoir.a", "retention.ms 2", "retention.ms 1", topic=TOPIC, key="retention.ms"
    ),
    Deviation(Cure.GRANT, "User:emitter", "missing", str(ACL), acl=ACL),
    Deviation(Cure.REVOKE, "User:emitter", str(ACL), "nothing of it", acl=ACL),
    Deviation(Cure.BY_HAND, "comptoir.b", "is there", "no such topic", "declare it"),
]


class Changes:
    """A cluster that notes what it is told."""

    def __init__(self) -> None:
        self.made: list[tuple[object, ...]] = []

    def create(self, topic: Topic) -> None:
        self.made.append(("create", topic.name))

    def add_partitions(self, topic: Topic) -> None:
        self.made.append(("add_partitions", topic.name))

    def set_config(self, name: str, key: str, value: str) -> None:
        self.made.append(("set_config", name, key, value))

    def grant(self, acl: Acl) -> None:
        self.made.append(("grant", acl))

    def revoke(self, acl: Acl) -> None:
        self.made.append(("revoke", acl))


def test_what_takes_nothing_away_is_made_and_the_rest_says_what_it_takes() -> None:
    cluster, making = Changes(), Making()
    making.make(EACH, cluster)
    assert cluster.made == [
        ("create", "comptoir.a"),
        ("add_partitions", "comptoir.a"),
        ("set_config", "comptoir.a", "segment.ms", "1"),
        ("grant", ACL),
    ]
    assert len(making.changed) == 4
    assert making.left == [
        f"comptoir.a: {SHORTER}; that deletes records, so it takes --allow-shorter-retention.",
        f"User:emitter: {ACL}, declared: nothing of it; that takes a right away, so it takes --revoke.",
        "comptoir.b: is there, declared: no such topic; declare it.",
    ]


def test_a_denial_that_is_to_go_takes_no_right_away() -> None:
    denied, making = ACL._replace(is_denied=True), Making()
    making.make([Deviation(Cure.REVOKE, "User:emitter", str(denied), "nothing of it", acl=denied)], None)
    (left,) = making.left
    assert left.endswith("nothing of it; that lets it do what it was denied, so it takes --revoke.")


@pytest.mark.parametrize(
    ("allowed", "made"),
    [
        (Cure.SHORTEN, ("set_config", "comptoir.a", "retention.ms", "1")),
        (Cure.REVOKE, ("revoke", ACL)),
    ],
)
def test_an_option_allows_its_own_and_nothing_else(allowed: Cure, made: tuple[object, ...]) -> None:
    cluster, making = Changes(), Making(frozenset({allowed}))
    making.make(EACH, cluster)
    assert made in cluster.made
    assert len(making.left) == 2


def test_a_dry_run_says_the_same_and_changes_nothing() -> None:
    dry, real = Making(), Making()
    dry.make(EACH, None)
    real.make(EACH, Changes())
    assert (dry.changed, dry.left) == (real.changed, real.left)
