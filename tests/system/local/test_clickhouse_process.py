"""The front as a process: killed and back with its data, alone on its folder, bounded, drained."""

import gzip
import resource
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest
import yaml

from tests.system.clickhouse_process import PASSWORD, WRITER, ClickHouseProcess
from tests.system.stack_process import eventually

pytestmark = pytest.mark.system

CREATE = (
    "CREATE TABLE comptoir.t (a UInt64) ENGINE = MergeTree ORDER BY a"
    " SETTINGS non_replicated_deduplication_window = 10000"
)
INSERT = {"query": "INSERT INTO comptoir.t FORMAT RowBinary"}
FRAME = 100
EXPIRES_SECONDS = 60


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ClickHouseProcess]:
    process = ClickHouseProcess(tmp_path)
    yield process
    process.stop()


def _frame(number: int) -> bytes:
    return struct.pack(f"<{FRAME}Q", *range(number * FRAME, (number + 1) * FRAME))


def test_acknowledged_inserts_survive_kills_and_repeated_ones_count_once(store: ClickHouseProcess) -> None:
    store.start()
    assert store.write(CREATE).status_code == 200
    acknowledged = 0
    for _ in range(4):
        killer = threading.Timer(0.4, store.kill)
        killer.start()
        while True:
            # As the pipeline does: the same frame under the same token until it is acknowledged.
            token = {"insert_deduplication_token": f"frame-{acknowledged}"}
            try:
                answer = store.write(_frame(acknowledged), **INSERT, **token)
            except httpx.TransportError:
                break
            assert answer.status_code == 200
            acknowledged += 1
        killer.join()
        store.start()
        token = {"insert_deduplication_token": f"frame-{acknowledged}"}
        assert store.write(_frame(acknowledged), **INSERT, **token).status_code == 200
        acknowledged += 1
    counted = store.read("SELECT count(), uniqExact(a), max(a) FROM comptoir.t").text.split()
    assert counted == [str(acknowledged * FRAME), str(acknowledged * FRAME), str(acknowledged * FRAME - 1)]


def test_what_a_kill_left_behind_is_removed(store: ClickHouseProcess) -> None:
    store.start()
    store.kill()
    scratch = store.data_folder / "scratch"
    (scratch / "left-behind").write_text("x", encoding="utf-8")
    store.start()
    assert not (scratch / "left-behind").exists()


def test_sigterm_ends_running_queries_well_and_the_process_with_zero(store: ClickHouseProcess) -> None:
    store.start()
    with ThreadPoolExecutor(1) as threads:
        # Ten blocks of three tenths of a second.
        query = "SELECT sum(sleepEachRow(0.3)) FROM numbers(10) SETTINGS max_block_size = 1, max_threads = 1"
        running = threads.submit(store.read, query)
        # In two pieces, so that it does not find itself.
        is_running = "SELECT count() FROM system.processes WHERE query LIKE '%sleep' || 'EachRow%'"
        while store.write(is_running).text == "0\n":
            assert not running.done()
        assert store.stop() == 0
        assert running.result(60).text == "0\n"


def test_a_second_process_on_the_folder_says_so_and_leaves(store: ClickHouseProcess, tmp_path: Path) -> None:
    store.start()
    (tmp_path / "other").mkdir()
    second = ClickHouseProcess(tmp_path / "other", data_folder=str(store.data_folder))
    second.launch()
    assert second.ended_within(60)
    assert second.stop() == 1
    assert second.stderr.splitlines()[-1].startswith("comptoir local_clickhouse: another process uses")
    assert store.read("SELECT 1").text == "1\n"


def test_a_taken_port_says_so_and_leaves(store: ClickHouseProcess, tmp_path: Path) -> None:
    store.start()
    (tmp_path / "other").mkdir()
    second = ClickHouseProcess(tmp_path / "other", listen=f"127.0.0.1:{store.port}")
    second.launch()
    assert second.ended_within(60)
    assert second.stop() == 2
    assert "is taken" in second.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("listen", "0.0.0.0:8404", "loopback"),
        ("listen", "example.org:8404", "loopback"),
        ("data_folder", "/somewhere/with?question", "question mark"),
        ("writer_user", "default", "reader"),
        ("surprise", 1, "not a known key"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(
    store: ClickHouseProcess, key: str, value: object, sentence: str
) -> None:
    document = yaml.safe_load(store.config_file.read_text(encoding="utf-8"))
    document["local_clickhouse"][key] = value
    store.config_file.write_text(yaml.safe_dump(document), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "deploy.local.clickhouse",
        "--config",
        str(store.config_file),
        "--check",
    ]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert checked.returncode == 2
    assert sentence in checked.stderr
    assert len(checked.stderr.splitlines()) == 1


def test_bodies_and_results_are_bounded(tmp_path: Path) -> None:
    mebibyte = 1024 * 1024
    store = ClickHouseProcess(
        tmp_path,
        max_query_bytes=4096,
        max_insert_bytes=mebibyte,
        max_result_bytes=mebibyte,
        max_execution_seconds=1,
    )
    store.start()
    try:
        store.write(CREATE)
        assert store.read("SELECT 1 -- " + "x" * 5000).status_code == 413
        assert store.write("SELECT 1 -- " + "x" * 5000).status_code == 413
        assert store.write(bytes(2 * mebibyte), **INSERT).status_code == 413
        assert store.read("SELECT count() FROM comptoir.t").text == "0\n"
        packed = {"Content-Encoding": "gzip"}
        bomb = gzip.compress(bytes(8 * mebibyte))
        login = (WRITER, PASSWORD)
        answer = httpx.post(store.url, params=INSERT, content=bomb, headers=packed, auth=login)
        assert answer.status_code == 413
        whole = {"wait_end_of_query": "1"}
        large = store.read("SELECT number FROM numbers(10000000)", **whole)
        assert large.headers["X-ClickHouse-Exception-Code"] == "396"
        endless = store.read("SELECT sum(number % 7) FROM system.numbers", **whole)
        assert endless.headers["X-ClickHouse-Exception-Code"] == "159"
    finally:
        store.stop()


def test_more_queries_than_slots_wait_and_more_than_that_are_refused(tmp_path: Path) -> None:
    store = ClickHouseProcess(tmp_path, max_concurrent_queries=2, max_waiting_queries=4)
    store.start()
    try:
        query = "SELECT sum(sleepEachRow(0.8)) FROM numbers(4) SETTINGS max_block_size = 1, max_threads = 1"
        with ThreadPoolExecutor(12) as threads:
            answers = list(threads.map(store.read, [query] * 12))
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses == [200] * 6 + [503] * 6
        assert store.read("SELECT 1").text == "1\n"
    finally:
        store.stop()


def test_the_process_dumps_no_core_and_reaches_nobody(store: ClickHouseProcess) -> None:
    store.start()
    process = psutil.Process(store.process.pid)
    assert process.rlimit(resource.RLIMIT_CORE) == (0, 0)
    listening = [found for found in process.net_connections() if found.status == "LISTEN"]
    assert [(found.laddr.ip, found.laddr.port) for found in listening] == [("127.0.0.1", store.port)]


def test_expired_rows_go_and_the_history_of_parts_says_when(store: ClickHouseProcess) -> None:
    store.start()
    created = store.write(
        "CREATE TABLE comptoir.short (at DateTime) ENGINE = MergeTree ORDER BY at TTL at + INTERVAL 1 SECOND"
        " SETTINGS ttl_only_drop_parts = 1, merge_with_ttl_timeout = 0"
    )
    assert created.status_code == 200
    assert store.write("INSERT INTO comptoir.short SELECT now() - 10 FROM numbers(5)").status_code == 200
    count = "SELECT count() FROM comptoir.short"
    eventually(lambda: store.read(count).text, lambda text: text == "0\n", EXPIRES_SECONDS)
    assert store.write("SYSTEM FLUSH LOGS").status_code == 200
    reasons = store.write("SELECT DISTINCT merge_reason FROM system.part_log WHERE table = 'short'").text
    assert "TTL" in reasons
    assert "toIntervalDay(7)" in store.write("SHOW CREATE TABLE system.part_log FORMAT TSVRaw").text
    logs = store.read("SELECT name FROM system.tables WHERE database = 'system' AND name LIKE '%\\_log'").text
    assert "query_log" not in logs.split()
