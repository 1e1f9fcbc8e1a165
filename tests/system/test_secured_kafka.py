"""Three secured brokers, made as docs/kafka.md says: who gets in, what is found wrong, one broker killed."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
from confluent_kafka.admin import NewTopic

from deploy.kafka.declaration import Acl
from pipelines.usage.adapters.kafka_source import KafkaSource
from pipelines.usage.domain.errors import UnavailableError
from pipelines.usage.settings import KafkaSettings
from services.cli.adapters.kafka_cluster import KafkaCluster
from services.contract.events import KIND_OF_TOPIC, Kind
from services.emitter.adapters.kafka_log import KafkaLog
from services.emitter.domain.ports import LogUnavailableError
from services.runtime.kafka_target import KafkaTarget
from services.runtime.kafka_topics import KafkaTopics
from tests.contracts.event_log import some_frames
from tests.services.cli.running import Said, Terminal
from tests.system.clickhouse_process import ClickHouseProcess
from tests.system.emitter_load import Load
from tests.system.emitter_process import EmitterProcess
from tests.system.secured_kafka import ADMIN, ROOT_PASSWORD, Followed, block
from tests.system.usage_process import UsageProcess

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

PATIENCE_SECONDS = 240.0
GENERATIONS = Kind.GENERATION.topic


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    cluster = Followed(tmp_path_factory.mktemp("secured"))
    try:
        cluster.start()
        (cluster.folder / "ca.pem").write_bytes(cluster.ca_file.read_bytes())
        cluster.password_file("root", ROOT_PASSWORD)
        cluster.follow("users")
        assert "would change  comptoir.generation.v1: missing" in cluster.follow("plan")
        assert "changed  comptoir.generation.v1: missing" in cluster.follow("apply")
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="module")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseProcess]:
    process = ClickHouseProcess(tmp_path_factory.mktemp("clickhouse"))
    try:
        process.start()
        yield process
    finally:
        process.stop()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(monkeypatch, capsys)


def as_operator(kafka: Followed, terminal: Terminal, *words: str, user: str = ADMIN) -> Said:
    """A command of the operator's, as one user."""
    reach = ("--bootstrap", kafka.address, "--ca", str(kafka.ca_file))
    who = ("--user", user, "--password-file", str(kafka.folder / f"{user}.password"))
    return terminal.comptoir("kafka", *words, *reach, *who)


def test_the_page_leads_to_what_is_declared_and_the_brokers_have_its_lines(kafka: Followed) -> None:
    assert kafka.follow("check") == "Topics and rights are as declared.\n"
    has = kafka.brokers[0].properties("")
    for line in filter(None, block("brokers").splitlines()):
        key, _, value = line.partition("=")
        assert value in (has[key], "…"), key


def test_what_is_applied_is_not_applied_again(kafka: Followed, terminal: Terminal) -> None:
    said = as_operator(kafka, terminal, "apply")
    assert (said.status, said.out) == (0, "Nothing to change.\n")


def test_every_deviation_is_told_and_what_costs_nothing_is_mended(
    kafka: Followed, terminal: Terminal
) -> None:
    root = KafkaCluster(kafka.user("root"))
    too_wide = Acl("User:emitter", "All", "topic", "comptoir.", is_prefix=True)
    denied = Acl("User:emitter", "Read", "topic", "elsewhere", is_denied=True)
    strangers = Acl("User:*", "Alter", "cluster", "kafka-cluster"), Acl("User:someone", "Read", "topic", "*")
    lost = Acl("User:usage", "Read", "group", "comptoir-usage")
    root.set_config(GENERATIONS, "retention.ms", str(40 * 86_400_000))
    root.set_config(GENERATIONS, "min.insync.replicas", "1")
    root.revoke(lost)
    for acl in (too_wide, denied, *strangers):
        root.grant(acl)
    new = NewTopic("comptoir.unknown.v1", num_partitions=1, replication_factor=1)
    root._all(root._admin.create_topics([new]).values())

    said = as_operator(kafka, terminal, "check")
    assert said.status == 1
    for words in (
        "retention.ms 3456000000",
        "min.insync.replicas 1",
        "User:usage may Read group comptoir-usage",
        "User:emitter may All topic comptoir.*",
        "User:someone may Read topic *",
        "User:* may Alter cluster kafka-cluster",
        "User:emitter may not Read topic elsewhere",
        "comptoir.unknown.v1",
    ):
        assert words in said.out

    said = as_operator(kafka, terminal, "apply")
    assert said.status == 1
    assert "--allow-shorter-retention" in said.out
    assert "that takes a right away, so it takes --revoke" in said.out
    assert "that lets it do what it was denied, so it takes --revoke" in said.out
    said = as_operator(kafka, terminal, "apply", "--revoke", "--allow-shorter-retention")
    left = [line for line in said.out.splitlines() if line.startswith("left")]
    assert [line.split()[1] for line in left] == ["comptoir.unknown.v1:", "User:*:", "User:someone:"]

    for acl in strangers:
        root.revoke(acl)
    root._all(root._admin.delete_topics(["comptoir.unknown.v1"]).values())
    assert as_operator(kafka, terminal, "check").status == 0


def test_a_command_says_in_one_sentence_why_it_is_not_let_in(kafka: Followed, terminal: Terminal) -> None:
    kafka.password_file("wrong", "not it")
    (kafka.folder / "wrong.password").rename(kafka.folder / "nobody.password")
    said = as_operator(kafka, terminal, "check", user="nobody")
    assert (said.status, said.err) == (
        1,
        "comptoir: Kafka refused the user or its password, or knows no such mechanism.\n",
    )
    said = as_operator(kafka, terminal, "check", user="usage")
    assert "this needs the rights of the role admin" in said.err
    said = terminal.comptoir("kafka", "check", "--bootstrap", kafka.address)
    assert said.err.startswith("comptoir: Kafka does not answer: is it there, and does it speak TLS")


async def test_a_process_says_at_its_start_why_kafka_is_not_its(kafka: Followed) -> None:
    async def troubles(target: KafkaTarget) -> dict[str, str]:
        return dict(await KafkaTopics(target, (*KIND_OF_TOPIC, "comptoir.missing.v1")).troubles())

    wrong = kafka.password_file("wrong", "not it")
    assert await troubles(kafka.as_user("emitter", wrong)) == {"": "SaslAuthenticationFailed"}
    assert await troubles(KafkaTarget(bootstrap=kafka.address)) == {"": "KafkaConnectionError"}
    assert await troubles(kafka.user("root")) == {"comptoir.missing.v1": "UnknownTopicOrPartitionError"}
    KafkaCluster(kafka.user("root")).set_password("guest", "a guest's", "SCRAM-SHA-512")
    guest = kafka.as_user("guest", kafka.password_file("guest", "a guest's"))
    assert set((await troubles(guest)).values()) == {"TopicAuthorizationFailedError"}
    assert (await troubles(guest)).keys() > KIND_OF_TOPIC.keys()


async def test_who_may_read_may_not_write(kafka: Followed) -> None:
    log = KafkaLog(kafka.user("usage"), confirm_seconds=20)
    with pytest.raises(LogUnavailableError, match="TopicAuthorizationFailedError"):
        await log.append(some_frames(Kind.REPLICA_LOAD, 1, 1), 0)
    await log.close()


async def test_a_group_without_a_right_is_told_by_kafkas_own_name(kafka: Followed) -> None:
    settings = KafkaSettings(group="comptoir-theirs", **dict(kafka.user("usage")))
    source = KafkaSource(settings, KIND_OF_TOPIC)

    async def read() -> None:
        await source.start(lambda: asyncio.sleep(0))
        while True:
            await source.poll()

    with pytest.raises(UnavailableError, match="GroupAuthorizationFailedError"):
        await asyncio.wait_for(read(), 60)
    await source.stop()


async def test_a_changed_password_is_used_at_the_next_connection(kafka: Followed) -> None:
    log = KafkaLog(kafka.user("emitter"), confirm_seconds=20)
    await log.append(some_frames(Kind.REPLICA_LOAD, 1, 1), 0)
    await asyncio.to_thread(kafka.follow, "rotation")
    # Connections that stand go on.
    await log.append(some_frames(Kind.REPLICA_LOAD, 2, 1), 0)
    assert log._connection is not None
    await log._replace(log._connection)
    await log.append(some_frames(Kind.REPLICA_LOAD, 3, 1), 0)
    await log.close()


def rows(clickhouse: ClickHouseProcess, query: str) -> list[tuple[Any, ...]]:
    with clickhouse_connect.get_client(dsn=clickhouse.url, autogenerate_session_id=False) as client:
        return [tuple(row) for row in client.query(query).result_rows]


async def eventually(ask: Callable[[], Any], is_it: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_it(answer := await asyncio.to_thread(ask)):
        assert time.monotonic() < deadline, answer
        await asyncio.sleep(0.2)
    return answer


@pytest.mark.parametrize("how", ["scram", "mtls"])
async def test_of_a_broker_killed_under_load_nothing_is_lost_and_nothing_double(
    kafka: Followed, clickhouse: ClickHouseProcess, tmp_path: Path, how: str
) -> None:
    reach = kafka.user if how == "scram" else kafka.with_certificate
    producer = reach("emitter").model_dump(mode="json", exclude_none=True)
    emitter = EmitterProcess(tmp_path, kafka.address, kafka=producer)
    usage = UsageProcess(tmp_path, reach("usage"), clickhouse)
    try:
        await asyncio.to_thread(usage.start)
        await asyncio.to_thread(emitter.start)
        before = await asyncio.to_thread(rows, clickhouse, STORED)
        load = Load(emitter)
        sending = asyncio.create_task(load.run())
        known = {producer for producer, *_ in before}
        new = await eventually(
            lambda: [row for row in rows(clickhouse, STORED) if row[0] not in known], lambda found: found
        )
        producer_id = new[0][0]
        query = STORED.replace("GROUP BY", f"WHERE producer_id = {producer_id} GROUP BY")
        await kill_and_start(kafka, leader_of(kafka, producer_id), lambda: rows(clickhouse, query)[0][1])
        load.end()
        await asyncio.wait_for(sending, 60)
        sent = load.acknowledged
        await eventually(lambda: rows(clickhouse, query), lambda found: found[0][1] >= sent)
        assert await asyncio.to_thread(rows, clickhouse, query) == [(producer_id, sent, sent, sent, sent)]
        assert await asyncio.to_thread(rows, clickhouse, INCOMPLETE) == []
    finally:
        await asyncio.to_thread(emitter.stop)
        await asyncio.to_thread(usage.stop)
    assert "kafka_topic_unusable" not in emitter.stderr + usage.stderr


STORED = (
    "SELECT producer_id, count(), uniqExact(producer_sequence), max(producer_sequence), "
    "uniqExact(event_id_high, event_id_low) FROM comptoir.generations GROUP BY producer_id"
)
# Other kinds have frames of other tests, which nobody can store.
INCOMPLETE = (
    "SELECT producer_id, missing_rows, double_rows FROM comptoir.completeness "
    "WHERE kind = 'generation' AND (missing_rows > 0 OR double_rows > 0)"
)


def leader_of(kafka: Followed, producer_id: int) -> int:
    """The number of the broker that takes a producer's generations."""
    topic = KafkaCluster(kafka.user("root"))._admin.list_topics(GENERATIONS, timeout=30).topics[GENERATIONS]
    leader: int = topic.partitions[producer_id % len(topic.partitions)].leader
    return leader


async def kill_and_start(kafka: Followed, number: int, stored: Callable[[], int]) -> None:
    """Kills one broker, lets rows arrive without it, starts it again, and lets more arrive."""
    broker = kafka.brokers[number - 1]
    kafka.kill(broker)
    await further(stored)
    kafka.launch(broker)
    await asyncio.to_thread(kafka.wait_for, broker)
    await further(stored)


async def further(stored: Callable[[], int]) -> None:
    """Returns once 200 more are stored."""
    seen = await asyncio.to_thread(stored)
    await eventually(stored, lambda count: bool(count >= seen + 200))
