"""What a client of the front can take from others by asking much, slowly, or often: nothing."""

import contextlib
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest

from tests.system.clickhouse_process import ClickHouseProcess

pytestmark = [pytest.mark.system, pytest.mark.alone]

MEBIBYTE = 1024 * 1024
ENDLESS = b"SELECT number FROM system.numbers FORMAT RowBinary"
INSERT = {"query": "INSERT INTO comptoir.t FORMAT RowBinary"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseProcess]:
    process = ClickHouseProcess(
        tmp_path_factory.mktemp("store"), write_seconds=3, body_seconds=3, head_seconds=3, max_sessions=20
    )
    process.start()
    process.write("CREATE TABLE comptoir.t (a UInt64) ENGINE = MergeTree ORDER BY a")
    yield process
    process.stop()


@contextlib.contextmanager
def _connected(store: ClickHouseProcess) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", store.port), timeout=20.0) as connected:
        yield connected


def _head(length: int, path: bytes = b"/") -> bytes:
    return b"POST %b HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % (path, length)


def _answer_to(store: ClickHouseProcess, request: bytes) -> bytes:
    with _connected(store) as connected:
        with contextlib.suppress(OSError):
            connected.sendall(request)
        answer = b""
        while piece := connected.recv(65_536):
            answer += piece
        return answer


def _memory(store: ClickHouseProcess) -> int:
    return int(psutil.Process(store.process.pid).memory_info().rss)


def test_eight_readers_that_stop_reading_keep_no_insert_out(store: ClickHouseProcess) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(12):
            connected = stack.enter_context(_connected(store))
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connected.sendall(_head(len(ENDLESS)) + ENDLESS)
        started = time.monotonic()
        for number in range(10):
            assert store.write(number.to_bytes(8, "little"), **INSERT).status_code == 200
        assert time.monotonic() - started < 30.0
        # And they themselves are given up, so that other readers come in.
        assert store.read("SELECT 1").text == "1\n"


def test_bodies_that_never_come_keep_nobody_out(store: ClickHouseProcess) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(_connected(store)).sendall(_head(100))
        assert store.write(bytes(8), **INSERT).status_code == 200
        assert store.read("SELECT 1").status_code in (200, 503)
    answer = _answer_to(store, _head(100) + b"SELECT")
    assert b"Code: 209" in answer
    assert b"body_seconds = 3" in answer


def test_headers_without_end_are_refused_and_leave_no_memory(store: ClickHouseProcess) -> None:
    before = _memory(store)
    for field in (b"x: " + b"00" * 30_000 + b"\r\n", b"a: b\r\n" * 5_000):
        answer = _answer_to(store, b"GET /?query=SELECT+1 HTTP/1.1\r\nhost: localhost\r\n" + field * 200)
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert b"max_head_bytes" in answer
    assert _memory(store) - before < 16 * MEBIBYTE


def test_a_long_url_says_to_use_the_body(store: ClickHouseProcess) -> None:
    for size, status in ((60_000, b"HTTP/1.1 200 "), (70_000, b"HTTP/1.1 431 ")):
        head = b"GET /?query=SELECT+'%b' HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        answer = _answer_to(store, head % (b"x" * size))
        assert answer.startswith(status)
    assert b"use the body" in answer
    many = httpx.post(store.url + "/?" + "a=1&" * 3_000, content="SELECT 1")
    assert (many.status_code, many.headers["X-ClickHouse-Exception-Code"]) == (400, "36")


def test_a_form_of_thousands_of_fields_is_refused_while_others_are_served(store: ClickHouseProcess) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="param_a"\r\n\r\n\r\n'
    form = part * 4_000 + b"--b--\r\n"
    headers = {"content-type": "multipart/form-data; boundary=b"}
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(httpx.post, store.url, content=form, headers=headers) for _ in range(20)]
        assert store.read("SELECT 1").text == "1\n"
        answers = [future.result() for future in asked]
    assert {answer.status_code for answer in answers} == {400}
    assert "1000 fields" in answers[0].text
    larger = httpx.post(store.url, content=part * 30_000 + b"--b--\r\n", headers=headers)
    assert larger.status_code == 413
    assert "max_query_bytes" in larger.text


def test_sessions_that_are_left_make_way(store: ClickHouseProcess) -> None:
    for number in range(60):
        assert store.read("SET max_threads = 1", session_id=f"left-{number}").status_code == 200
    assert store.read("SELECT 1", session_id="another").text == "1\n"
    assert store.write("SELECT 1", session_id="writer").text == "1\n"
    gone = store.read("SELECT 1", session_id="left-0", session_check="1")
    assert gone.headers["X-ClickHouse-Exception-Code"] == "372"
    kept = store.read("SELECT getSetting('max_threads')", session_id="left-59", session_check="1")
    assert kept.text == "1\n"


def test_what_readers_keep_in_temporary_tables_leaves_the_writer_its_memory(store: ClickHouseProcess) -> None:
    big = "CREATE TEMPORARY TABLE big AS SELECT number FROM numbers({})"
    over = store.read(big.format(20_000_000), session_id="big")
    assert over.headers["X-ClickHouse-Exception-Code"] == "241"
    assert "max_temporary_bytes" in over.text
    gone = store.read("SELECT 1", session_id="big", session_check="1")
    assert gone.headers["X-ClickHouse-Exception-Code"] == "372"
    for number in range(8):
        assert store.read(big.format(7_000_000), session_id=f"big-{number}").status_code == 200
    kept = [
        store.read("SELECT count() FROM big", session_id=f"big-{number}", session_check="1").status_code
        == 200
        for number in range(8)
    ]
    assert kept == [False] * 4 + [True] * 4


def test_a_reader_limits_nobody_but_itself(store: ClickHouseProcess) -> None:
    for setting in ("max_memory_usage_for_user", "max_network_bandwidth_for_all_users"):
        assert store.read("SELECT 1", **{setting: "1"}).status_code == 403
        assert store.read(f"SELECT 1 SETTINGS {setting} = 1").status_code == 403
    assert store.read("SELECT 1", max_threads="64").status_code == 200
    assert store.read("SELECT 1", max_threads="10000").headers["X-ClickHouse-Exception-Code"] == "452"
