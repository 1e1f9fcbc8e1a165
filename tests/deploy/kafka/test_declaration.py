"""The declaration has every topic of the contract, and says in one sentence what is wrong with a file."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deploy.kafka.declaration import DECLARATION_FILE, Acl, DeclarationError, Topic, read_declaration
from deploy.local.kafka.properties import BrokerPlan, server_properties
from services.contract.events import DEAD_LETTER_TOPIC, KIND_OF_TOPIC

OURS = read_declaration()
EMITTER, USAGE = "User:emitter", "User:usage"


def changed(tmp_path: Path, **parts: Any) -> Path:
    file = tmp_path / "topics.yaml"
    document = yaml.safe_load(DECLARATION_FILE.read_text())
    file.write_text(yaml.safe_dump({**document, **parts}))
    return file


def test_every_topic_of_the_contract_is_declared_and_no_other() -> None:
    assert {topic.name for topic in OURS.each_topic()} == {*KIND_OF_TOPIC, DEAD_LETTER_TOPIC}


@pytest.mark.parametrize("topic", OURS.each_topic(), ids=lambda topic: topic.name)
def test_one_broker_may_be_lost_with_nothing_and_a_record_outlives_no_event(topic: Topic) -> None:
    assert topic.replication_factor == 3
    assert topic.configs["min.insync.replicas"] == "2"
    assert topic.configs["unclean.leader.election.enable"] == "false"
    assert topic.configs["cleanup.policy"] == "delete"
    assert topic.longest_days == 6.5


def test_each_role_may_do_what_it_needs_and_no_more() -> None:
    events = set(KIND_OF_TOPIC)
    of = {name: {acl[1:4] for acl in OURS.acls if acl.principal == name} for name in (EMITTER, USAGE)}
    assert of[EMITTER] == {("Write", "topic", name) for name in events}
    assert of[USAGE] == {
        *(("Read", "topic", name) for name in events),
        ("Write", "topic", DEAD_LETTER_TOPIC),
        ("Read", "group", "comptoir-usage"),
    }
    assert not any(acl.is_denied or (acl.is_prefix and acl.principal in of) for acl in OURS.acls)


def test_the_broker_of_one_machine_keeps_records_as_production_does(tmp_path: Path) -> None:
    plan = BrokerPlan("127.0.0.1", 1, 2, tmp_path, retention_hours=144, roll_hours=12)
    broker = dict(line.split("=", 1) for line in server_properties(plan).splitlines())
    declared = OURS.topic_defaults.configs
    for theirs, ours in {
        "log.retention.ms": "retention.ms",
        "log.roll.ms": "segment.ms",
        "log.message.timestamp.type": "message.timestamp.type",
        "message.max.bytes": "max.message.bytes",
    }.items():
        assert broker[theirs] == declared[ours]


def test_a_right_reads_as_a_sentence() -> None:
    assert str(Acl(EMITTER, "Write", "topic", "a")) == "User:emitter may Write topic a"
    prefix = Acl(EMITTER, "All", "topic", "a.", is_prefix=True, host="10.0.0.1", is_denied=True)
    assert str(prefix) == "User:emitter may not All topic a.* from 10.0.0.1"


@given(days=st.integers(1, 60), roll_hours=st.integers(1, 72), store=st.integers(7, 30))
def test_a_retention_at_or_above_the_stores_is_refused(days: int, roll_hours: int, store: int) -> None:
    ages = {"retention.ms": str(days * 86_400_000), "segment.ms": str(roll_hours * 3_600_000)}
    defaults = OURS.topic_defaults.model_copy(update={"configs": {**OURS.topic_defaults.configs, **ages}})
    declaration = OURS.model_copy(update={"topic_defaults": defaults})
    if days * 24 + roll_hours < store * 24:
        declaration.check_retention(store)
    else:
        with pytest.raises(DeclarationError, match=rf"the store keeps events for {store} "):
            declaration.check_retention(store)


def test_a_copy_without_a_topic_that_processes_write_to_is_refused(tmp_path: Path) -> None:
    older = read_declaration(changed(tmp_path, topics=[{"name": "comptoir.admission.v1"}]))
    with pytest.raises(DeclarationError, match=r"comptoir\.dead-letter\.v1 and comptoir\.edge-request\.v1"):
        older.check_topics({"comptoir.admission.v1", "comptoir.edge-request.v1", DEAD_LETTER_TOPIC})


def test_for_ever_is_longer_than_any_store() -> None:
    topic = OURS.each_topic()[0]
    assert topic._replace(configs={**topic.configs, "retention.ms": "-1"}).longest_days == float("inf")


def test_a_topic_may_differ_from_the_defaults(tmp_path: Path) -> None:
    own = {"name": "comptoir.x.v1", "partitions": 2, "configs": {"retention.ms": 1, "a": True}}
    topic = read_declaration(changed(tmp_path, topics=[own])).each_topic()[0]
    assert (topic.partitions, topic.replication_factor) == (2, 3)
    assert topic.configs["retention.ms"] == "1"
    assert topic.configs["a"] == "true"
    assert topic.configs["cleanup.policy"] == "delete"


def role(**grant: Any) -> dict[str, Any]:
    return {"roles": {"a": {"principals": ["User:a"], "may": [grant]}}}


BARE = {"partitions": 1, "replication_factor": 1, "configs": {}}


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"topics": [{"name": "comptoir.a"}, {"name": "comptoir.a"}]}, "a name stands twice"),
        ({"topics": [{"name": "other.a"}]}, "begin with the prefix"),
        ({"topics": [{"name": "comptoir.a", "colour": 1}]}, r"topics\.0\.colour"),
        ({"topic_defaults": BARE}, "must have retention"),
        ({"roles": {"a": {"principals": ["User:*"]}}}, "principals"),
        (role(operations=["Read"]), "one of topics"),
        (role(operations=["Dance"], topics=["t"]), "operations"),
    ],
)
def test_what_is_wrong_is_one_sentence_with_its_place(
    tmp_path: Path, parts: dict[str, Any], words: str
) -> None:
    with pytest.raises(DeclarationError, match=words) as refused:
        read_declaration(changed(tmp_path, **parts))
    assert str(refused.value).startswith("topics.yaml: ")


@pytest.mark.parametrize("content", ["[", "text", ""])
def test_a_file_that_declares_nothing_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.yaml").write_text(content)
    with pytest.raises(DeclarationError, match=r"^a\.yaml"):
        read_declaration(tmp_path / "a.yaml")
    with pytest.raises(DeclarationError, match=r"b\.yaml cannot be read"):
        read_declaration(tmp_path / "b.yaml")
