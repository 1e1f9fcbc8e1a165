"""The store's reader: one question with its bound as a parameter, rows as they come, or one sentence."""

import contextlib
import logging
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError
from hypothesis import given
from hypothesis import strategies as st

from deploy.local.stack.errors import StackError
from services.cli.adapters.store import Store
from tests.services.cli.http_server import serving_http

ROWS = [{"region": "eu-fr", "requests": 42}, {"region": "eu-de", "requests": 7}]
COLUMNS = ("region", "requests")


class Result:
    """The rows, as they come."""

    column_names = COLUMNS

    @property
    def source(self) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        """Holds nothing."""

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        yield from (tuple(row.values()) for row in ROWS)


class Client:
    """Answers `ROWS`, or fails as it is told to; `open_clients` counts those that nobody closed."""

    failure: Exception | None = None

    def __init__(self) -> None:
        self.dsns: list[str] = []
        self.asked: list[tuple[str, dict[str, int]]] = []
        self.open_clients = 0

    def get_client(self, *, dsn: str, pool_mgr: object) -> Self:
        assert pool_mgr is not None
        self.dsns.append(dsn)
        self.open_clients += 1
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        assert isinstance(trace, TracebackType | None)
        self.open_clients -= 1

    def query_rows_stream(self, text: str, *, parameters: dict[str, int]) -> Result:
        self.asked.append((text, parameters))
        if self.failure is not None:
            raise self.failure
        return Result()


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    client = Client()
    monkeypatch.setattr(clickhouse_connect, "get_client", client.get_client)
    return client


def test_rows_are_named_and_come_in_the_stores_order(client: Client) -> None:
    assert Store("http://127.0.0.1:8404").latency_by_hour(COLUMNS, 24) == ROWS
    assert client.dsns == ["http://127.0.0.1:8404"]
    ((text, parameters),) = client.asked
    assert text.startswith("SELECT region, requests FROM (")
    assert "comptoir.measured_generations" in text
    assert text.endswith("ORDER BY hour DESC, region, model")
    assert parameters == {"hours": 24}
    assert client.open_clients == 0


@pytest.mark.parametrize(
    "failure", [DatabaseError("SELECT secret"), OperationalError("secret"), ConnectionResetError("secret")]
)
def test_whatever_fails_is_one_sentence_that_repeats_nothing(client: Client, failure: Exception) -> None:
    client.failure = failure
    with pytest.raises(StackError, match=r"127\.0\.0\.1:8404 did not answer") as refusal:
        Store("http://reader:secret@127.0.0.1:8404").latency_by_hour(COLUMNS, 1)
    assert "secret" not in str(refusal.value)
    assert client.open_clients == 0


@pytest.mark.parametrize("code", [60, 81])
def test_a_store_without_tables_has_no_rows_yet(client: Client, code: int) -> None:
    client.failure = DatabaseError("made by the pipeline", code=code)
    assert Store("http://127.0.0.1:8404").latency_by_hour(COLUMNS, 1) == []


def test_a_refusal_is_the_stores_number_and_not_its_text(client: Client) -> None:
    client.failure = DatabaseError("secret", code=497)
    with pytest.raises(StackError, match=r"127\.0\.0\.1:8404 refused .* error 497\.$") as refusal:
        Store("http://reader:secret@127.0.0.1:8404").latency_by_hour(COLUMNS, 1)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    "answer",
    [(200, b""), (200, b"26.9\tUTC\n"), (200, b"<html>"), (403, b"no"), (404, b""), (500, b"\x00\xff")],
)
def test_a_server_that_is_no_store_is_one_sentence(
    answer: tuple[int, bytes], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in a process that configured no logging: what the library says would go to standard error.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with serving_http(_Always(answer)) as url, pytest.raises(StackError, match="did not answer"):
        Store(url).latency_by_hour(COLUMNS, 1)
    assert capfd.readouterr() == ("", "")


class _Always(dict[str, tuple[int, bytes]]):
    def __init__(self, answer: tuple[int, bytes]) -> None:
        super().__init__()
        self._answer = answer

    def get(self, path: str, default: object = None) -> tuple[int, bytes]:
        return self._answer


@pytest.mark.parametrize("url", ["http://[", "http://localhost:port", "http://localhost:99999"])
def test_what_is_no_url_is_said_before_anybody_is_asked(client: Client, url: str) -> None:
    with pytest.raises(StackError, match="must be like"):
        Store(url)
    assert client.dsns == []


@given(st.text())
def test_any_text_is_a_url_or_a_sentence(url: str) -> None:
    with contextlib.suppress(StackError):
        Store(url)


def test_a_proxy_of_the_environment_is_not_asked_for_a_store_on_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, bytes, str]] = []
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving_http({}, asked) as proxy:
        monkeypatch.setenv("http_proxy", proxy)
        with pytest.raises(StackError, match="did not answer"):
            Store("http://127.0.0.1:9").latency_by_hour(COLUMNS, 24)
    assert asked == []
