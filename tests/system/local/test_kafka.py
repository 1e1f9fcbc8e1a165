import asyncio
import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from services.cli.adapters.kafka_cluster import KafkaCluster
from services.runtime.kafka_target import KafkaTarget
from tests.system.kafka_process import KafkaProcess

pytestmark = pytest.mark.system

TOPIC = "comptoir.generation.v1"
DIES_WITHIN_SECONDS = 30.0


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[KafkaProcess]:
    process = KafkaProcess(tmp_path)
    yield process
    process.stop()


def _producer(kafka: KafkaProcess) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        bootstrap_servers=kafka.address, enable_idempotence=True, acks="all", retry_backoff_ms=50
    )


async def _write(kafka: KafkaProcess, first: int, count: int) -> None:
    async with _producer(kafka) as producer:
        for number in range(first, first + count):
            await producer.send_and_wait(TOPIC, number.to_bytes(8), partition=0)


async def _read(kafka: KafkaProcess) -> list[int]:
    """Every record of partition 0, in order."""
    partition = TopicPartition(TOPIC, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.address, enable_auto_commit=False)
    numbers: list[int] = []
    async with asyncio.timeout(60), consumer:
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        while await consumer.position(partition) < end:
            batches = await consumer.getmany(partition, timeout_ms=1000)
            numbers += [int.from_bytes(record.value) for record in batches.get(partition, [])]
    return numbers


def _assert_gone(java: psutil.Process) -> None:
    _, alive = psutil.wait_procs([java], timeout=DIES_WITHIN_SECONDS)
    assert not alive


async def test_acknowledged_records_survive_a_kill_of_the_python_process_and_no_java_is_left(
    kafka: KafkaProcess,
) -> None:
    kafka.start()
    await _write(kafka, 0, 200)
    java = kafka.java()

    kafka.kill()

    _assert_gone(java)
    kafka.start()
    await _write(kafka, 200, 10)
    assert await _read(kafka) == list(range(210))


async def test_a_producer_that_writes_while_java_is_killed_loses_and_repeats_nothing(
    kafka: KafkaProcess,
) -> None:
    kafka.start()
    reached_half = asyncio.Event()

    async def write() -> None:
        async with _producer(kafka) as producer:
            for number in range(400):
                await producer.send_and_wait(TOPIC, number.to_bytes(8), partition=0)
                if number == 200:
                    reached_half.set()

    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        group.create_task(write())
        await reached_half.wait()
        kafka.java().kill()
        assert await asyncio.to_thread(kafka.process.wait, 30) == 1
        assert "ended unasked" in kafka.stderr
        assert not (kafka.data_folder / "ready").exists()
        await asyncio.to_thread(kafka.start)

    assert await _read(kafka) == list(range(400))
    lines = [line for line in kafka.stderr.splitlines() if line.startswith("{")]
    assert {"local-kafka"} == {json.loads(line)["process"] for line in lines}


def test_a_cluster_that_knows_no_rights_is_told_so_and_not_asked_for_any(kafka: KafkaProcess) -> None:
    kafka.start()
    found = KafkaCluster(KafkaTarget(bootstrap=kafka.address)).found("comptoir.")
    assert found.acls is None
    assert TOPIC in found.topics


def test_sigterm_ends_both_processes_with_status_0(kafka: KafkaProcess) -> None:
    kafka.start()
    java = kafka.java()

    assert kafka.stop() == 0

    _assert_gone(java)
    assert not (kafka.data_folder / "ready").exists()


def test_sigterm_during_the_start_ends_both_processes_with_status_0(kafka: KafkaProcess) -> None:
    kafka.launch()
    java = kafka.java()

    assert kafka.stop() == 0

    _assert_gone(java)


def test_a_kill_during_the_first_format_is_recovered_from(kafka: KafkaProcess) -> None:
    kafka.launch()
    java = kafka.java()
    kafka.kill()
    _assert_gone(java)
    assert not (kafka.data_folder / "log").exists()

    kafka.start()

    assert kafka.is_ready()


def test_a_second_process_on_the_same_folder_is_refused_in_one_sentence(
    kafka: KafkaProcess, tmp_path: Path
) -> None:
    kafka.start()
    (tmp_path / "second").mkdir()
    second = KafkaProcess(tmp_path / "second", data_folder=str(kafka.data_folder))

    second.launch()

    assert second.process.wait(30) == 1
    what = f"another broker runs on the data folder {kafka.data_folder}; stop it, or choose another folder."
    assert second.stderr == f"comptoir local_kafka: {what}\n"
    assert kafka.is_ready()


def test_a_taken_port_is_named_in_one_sentence(kafka: KafkaProcess) -> None:
    with socket.create_server(("127.0.0.1", kafka.controller_port)):
        kafka.launch()

        assert kafka.process.wait(30) == 2

    assert kafka.stderr.startswith(
        f"comptoir local_kafka: port {kafka.controller_port} of 127.0.0.1 is taken;"
    )


def test_another_number_of_partitions_is_refused_and_the_data_stay(kafka: KafkaProcess) -> None:
    kafka.configure(topics=[{"name": TOPIC, "partitions": 2}])
    kafka.start()
    kafka.stop()
    kafka.configure(topics=[{"name": TOPIC, "partitions": 3}])

    kafka.launch()

    assert kafka.process.wait(60) == 1
    assert "has 2 partitions and the settings say 3" in kafka.stderr.splitlines()[-1]


async def test_it_moves_to_other_ports_with_its_data(kafka: KafkaProcess, tmp_path: Path) -> None:
    kafka.start()
    await _write(kafka, 0, 5)
    kafka.stop()
    (tmp_path / "elsewhere").mkdir()
    moved = KafkaProcess(tmp_path / "elsewhere", data_folder=str(kafka.data_folder))
    moved.data_folder = kafka.data_folder

    moved.start()
    try:
        assert await _read(moved) == list(range(5))
    finally:
        moved.stop()


def test_interrupts_of_the_terminal_do_not_reach_java(kafka: KafkaProcess) -> None:
    kafka.start()

    assert os.getsid(kafka.java().pid) != os.getsid(kafka.process.pid)

    os.kill(kafka.process.pid, signal.SIGINT)
    assert kafka.process.wait(30) == 0
