"""`comptoir kafka`: what is said, with which status, and what is refused before anybody is asked."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.kafka.declaration import DECLARATION_FILE, read_declaration
from services.cli.commands import kafka
from services.cli.kafka.plan import Found, FoundTopic
from services.runtime.kafka_target import KafkaTarget
from tests.ports import free_port
from tests.services.cli.kafka.test_making import Changes
from tests.services.cli.running import Said, Terminal

OURS = read_declaration()
WHERE = ("--bootstrap", "127.0.0.1:1")


class Cluster(Changes):
    """A cluster that has what it is given."""

    def __init__(self, has: Found) -> None:
        super().__init__()
        self.has = has
        self.target: KafkaTarget | None = None
        self.passwords: list[tuple[str, str, str]] = []

    def found(self, prefix: str) -> Found:
        assert prefix == "comptoir."
        return self.has

    def set_password(self, user: str, password: str, mechanism: str) -> None:
        self.passwords.append((user, password, mechanism))


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    cluster = Cluster(Found())

    def reached(target: KafkaTarget) -> Cluster:
        cluster.target = target
        return cluster

    monkeypatch.setattr(kafka, "_cluster", reached)
    return cluster


def as_declared() -> Found:
    return Found(
        {
            topic.name: FoundTopic(topic.partitions, topic.replication_factor, topic.configs)
            for topic in OURS.each_topic()
        },
        OURS.acls,
    )


def declared(tmp_path: Path, **configs: Any) -> str:
    document = yaml.safe_load(DECLARATION_FILE.read_text())
    document["topic_defaults"]["configs"] |= configs
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(document))
    return str(tmp_path / "own.yaml")


def run(terminal: Terminal, *words: str) -> Said:
    return terminal.comptoir("kafka", *words, *WHERE)


def test_check_ends_with_0_where_all_is_as_declared(terminal: Terminal, cluster: Cluster) -> None:
    cluster.has = as_declared()
    said = run(terminal, "check")
    assert (said.status, said.out) == (0, "Topics and rights are as declared.\n")
    assert json.loads(run(terminal, "check", "--json").out) == {"deviations": []}


def test_check_ends_with_1_and_a_line_for_each_deviation(terminal: Terminal, cluster: Cluster) -> None:
    said = run(terminal, "check")
    assert said.status == 1
    assert all(topic.name in said.out for topic in OURS.topics)
    told = json.loads(run(terminal, "check", "--json").out)["deviations"]
    assert len(told) == len(OURS.topics) + len(OURS.acls)
    assert told[0] == {
        "what": "comptoir.admission.v1",
        "found": "missing",
        "declared": "12 partitions, 3 copies",
        "cure": "comptoir kafka apply: create the topic",
    }
    assert cluster.made == []


def test_a_declaration_of_an_older_release_is_refused(
    terminal: Terminal, cluster: Cluster, tmp_path: Path
) -> None:
    document = yaml.safe_load(DECLARATION_FILE.read_text())
    document["topics"] = [one for one in document["topics"] if one["name"] != "comptoir.admin-act.v1"]
    (tmp_path / "older.yaml").write_text(yaml.safe_dump(document))
    said = run(terminal, "check", "-f", str(tmp_path / "older.yaml"))
    assert (said.status, cluster.made) == (1, [])
    assert "comptoir.admin-act.v1 must be declared too" in said.err


def test_apply_makes_it_and_says_what_it_made(terminal: Terminal, cluster: Cluster) -> None:
    said = run(terminal, "apply")
    assert said.status == 0
    assert "changed  comptoir.admission.v1: missing, declared: 12 partitions, 3 copies\n" in said.out
    assert len(cluster.made) == len(OURS.topics) + len(OURS.acls)
    cluster.has = as_declared()
    assert run(terminal, "apply").out == "Nothing to change.\n"


def test_a_dry_run_changes_nothing(terminal: Terminal, cluster: Cluster) -> None:
    said = run(terminal, "apply", "--dry-run")
    assert said.status == 0
    assert said.out.startswith("would change  comptoir.admission.v1")
    assert json.loads(run(terminal, "apply", "--dry-run", "--json").out)["is_dry_run"] is True
    assert cluster.made == []


def test_apply_ends_with_1_where_something_is_left(terminal: Terminal, cluster: Cluster) -> None:
    cluster.has = Found({**as_declared().topics, "comptoir.x": FoundTopic(1, 1, {})}, OURS.acls)
    said = run(terminal, "apply")
    assert said.status == 1
    assert said.out.startswith("left  comptoir.x: is there, declared: no such topic; declare it")


@pytest.mark.parametrize("command", ["apply", "check"])
def test_a_retention_above_the_stores_is_refused_before_anybody_is_asked(
    terminal: Terminal, cluster: Cluster, tmp_path: Path, command: str
) -> None:
    file = declared(tmp_path, **{"retention.ms": 20 * 86_400_000})
    sentence = terminal.refusal("kafka", command, "-f", file, *WHERE)
    assert "would keep records for 20.5 days" in sentence
    assert "the store keeps events for 7 (usage.retention_days)" in sentence
    assert cluster.target is None
    assert "for 20 (usage" in terminal.refusal("kafka", command, "-f", file, "--retention-days", "20", *WHERE)
    settings = tmp_path / "comptoir.yaml"
    settings.write_text("usage: {retention_days: 20}\n")
    words = ("kafka", command, "-f", file, "--settings", str(settings), *WHERE)
    assert "for 20 (usage" in terminal.refusal(*words)
    for enough in ("usage: {retention_days: 21}\n", "usage: {}\n", "{}\n"):
        settings.write_text(enough)
        assert terminal.comptoir(*words).err == ""


@pytest.mark.parametrize(
    "content", ["usage: {retention_days: 60}\n", "usage: {retention_days: x}\n", "[", "a"]
)
def test_settings_without_a_retention_that_a_store_has_are_refused(
    terminal: Terminal, tmp_path: Path, content: str
) -> None:
    (tmp_path / "comptoir.yaml").write_text(content)
    assert "comptoir.yaml" in terminal.refusal(
        "kafka", "check", "--settings", str(tmp_path / "comptoir.yaml"), *WHERE
    )


def test_who_asks_is_a_user_a_certificate_or_both(
    terminal: Terminal, cluster: Cluster, tmp_path: Path
) -> None:
    cluster.has = as_declared()
    user = ("--user", "root", "--password-file", str(tmp_path / "p"), "--ca", "ca.pem")
    files = ("--certificate", "a.pem", "--key", "a.key")
    terminal.comptoir("kafka", "check", "--bootstrap", "kafka.example:1", *user)
    assert cluster.target is not None
    assert cluster.target.sasl is not None
    assert (cluster.target.ca_file, cluster.target.sasl.user) == (Path("ca.pem"), "root")
    terminal.comptoir("kafka", "check", "--bootstrap", "kafka.example:1", *user, *files)
    assert cluster.target.tls is not None
    assert cluster.target.tls.certificate_file == Path("a.pem")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--user", "root"), "--user and --password-file go together"),
        (("--certificate", "a.pem"), "--certificate, --key and --ca go together"),
        (("--certificate", "a.pem", "--key", "a.key"), "--certificate, --key and --ca go together"),
        (("--ca", "ca.pem"), "needs sasl"),
        (("--user", "a,b", "--password-file", "p"), "user: "),
        (("--mechanism", "PLAIN", "--user", "a", "--password-file", "p"), "mechanism: "),
    ],
)
def test_who_asks_half_is_told_what_is_missing(
    terminal: Terminal, cluster: Cluster, words: tuple[str, ...], sentence: str
) -> None:
    assert sentence in terminal.refusal("kafka", "check", *WHERE, *words)


def test_a_password_comes_from_a_file(terminal: Terminal, cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "emitter.password"
    file.write_text("made up\n")
    said = run(terminal, "password", "emitter", "--new-password-file", str(file))
    assert (said.status, said.out) == (0, "emitter has its new password.\n")
    assert cluster.passwords == [("emitter", "made up", "SCRAM-SHA-512")]
    file.write_text("")
    sentence = terminal.refusal("kafka", "password", "emitter", "--new-password-file", str(file), *WHERE)
    assert "emitter.password must hold one line" in sentence


def test_a_password_file_that_is_missing_is_one_sentence(terminal: Terminal) -> None:
    words = ("--bootstrap", "127.0.0.1:1", "--user", "root", "--password-file", "/gone")
    assert "the secret file gone cannot be read" in terminal.refusal("kafka", "check", *words)


def test_where_nobody_listens_the_sentence_says_what_to_look_for(terminal: Terminal) -> None:
    sentence = terminal.refusal("kafka", "check", "--bootstrap", f"127.0.0.1:{free_port()}")
    assert "Kafka does not answer: is it there, and does it speak TLS" in sentence
