"""What is wrong with Kafka at the start is told once, by topic, until all is well."""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from services.runtime import kafka_topics
from services.runtime.kafka_target import KafkaTarget
from services.runtime.kafka_topics import KafkaTopics
from tests.ports import free_port
from tests.services.runtime.certificates import Authority

Told = list[tuple[str, object, object]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    lines: Told = []
    for level in ("info", "error"):
        monkeypatch.setattr(
            kafka_topics._log,
            level,
            lambda event, **fields: lines.append((event, fields.get("topic"), fields.get("error_type"))),
        )
    return lines


async def watched(monkeypatch: pytest.MonkeyPatch, answers: Sequence[Mapping[str, str]]) -> list[float]:
    waits: list[float] = []
    left = list(answers)

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    topics = KafkaTopics(KafkaTarget(bootstrap="127.0.0.1:1"), ["comptoir.a"], sleep=sleep)
    done = asyncio.Event()

    async def troubles() -> Mapping[str, str]:
        answer = left.pop(0)
        if not answer:
            done.set()
        return answer

    monkeypatch.setattr(topics, "troubles", troubles)
    watching = asyncio.create_task(topics.watch())
    async with asyncio.timeout(10):
        await done.wait()
        await asyncio.sleep(0)
    assert not watching.done()
    watching.cancel()
    await asyncio.wait({watching})
    return waits


async def test_each_trouble_is_told_once_and_so_is_its_end(
    monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    away = {"": "SaslAuthenticationFailed"}
    missing = {"comptoir.a": "UnknownTopicOrPartitionError"}
    waits = await watched(monkeypatch, [away, away, missing, missing, {}])
    assert told == [
        ("kafka_unreachable", None, "SaslAuthenticationFailed"),
        ("kafka_reached", None, None),
        ("kafka_topic_unusable", "comptoir.a", "UnknownTopicOrPartitionError"),
        ("kafka_topic_usable", "comptoir.a", None),
    ]
    assert len(waits) == 4
    assert waits[-1] > waits[0]


async def test_a_kafka_that_starts_meanwhile_is_not_told(monkeypatch: pytest.MonkeyPatch, told: Told) -> None:
    refused = {"": "ConnectionRefusedError"}
    await watched(monkeypatch, [refused] * 4 + [{}])
    assert told == []


async def test_a_kafka_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, told: Told) -> None:
    refused = {"": "ConnectionRefusedError"}
    waits = await watched(monkeypatch, [refused] * 6 + [{}])
    assert told == [("kafka_unreachable", None, "ConnectionRefusedError"), ("kafka_reached", None, None)]
    assert sum(waits[:4]) >= 7.5


async def test_of_what_is_well_nothing_is_told(monkeypatch: pytest.MonkeyPatch, told: Told) -> None:
    assert await watched(monkeypatch, [{}]) == []
    assert told == []


async def test_where_nobody_listens_the_systems_own_word_is_told() -> None:
    topics = KafkaTopics(KafkaTarget(bootstrap=f"127.0.0.1:{free_port()}"), ["comptoir.a"])
    async with asyncio.timeout(60):
        assert await topics.troubles() == {"": "ConnectionRefusedError"}


async def test_a_broker_of_another_authority_is_told(tmp_path: Path) -> None:
    files = Authority(tmp_path / "theirs").files("broker")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate_file, files.private_key_file)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server, asyncio.timeout(60):
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        target = KafkaTarget(bootstrap=address, tls=Authority(tmp_path / "ours").files("emitter"))
        assert await KafkaTopics(target, ["comptoir.a"]).troubles() == {"": "SSLCertVerificationError"}
