"""Rows of the store become what the page shows; what the store cannot say is a source that is away."""

from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from services.console.adapters import store_questions as questions
from services.console.adapters.clickhouse_store import ClickHouseStore
from services.console.domain.errors import SourceAwayError
from services.console.domain.spans import Span
from services.console.settings import StoreTarget

NAN = float("nan")
MODEL = {"at": 60, "model_name": "f3", "requests": 3, "tokens": 90, "ttft": (1e5, NAN), "tps": (50.0, 60.0)}
KIND = {
    "kind": "generation",
    "stored": 9,
    "missing": 1,
    "doubles": 0,
    "dead": 0,
    "unreadable": 0,
    "behind": 2,
    "paused": "none",
}


class Client:
    """Answers each question with rows of its own, or fails."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {
            questions.MODELS: [MODEL | {"at": 0}],
            questions.STEPS: [MODEL],
            questions.LOADS: [{"model_name": "f3", "at": 60, "running": 1.5, "waiting": 2, "kv": 0.5}],
            questions.KINDS: [KIND],
            questions.OLDEST: [{"kind": "generation", "oldest": 1_000, "overdue": 4}],
            questions.RETENTION: [{"days": 14}],
        }
        self.asked: list[dict[str, Any]] = []
        self.made = 0
        self.closed = 0
        self.failure: Exception | None = None

    def get_client(self, **options: Any) -> "Client":
        assert options["dsn"] == "http://127.0.0.1:8404"
        self.made += 1
        return self

    def query(self, query: str, *, parameters: dict[str, Any], settings: dict[str, int]) -> "Client":
        assert settings["max_execution_time"] > 0
        if self.failure is not None:
            raise self.failure
        self.asked.append(parameters)
        self.found = self.rows[query]
        return self

    def named_results(self) -> list[dict[str, Any]]:
        return self.found

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    client = Client()
    monkeypatch.setattr(clickhouse_connect, "get_client", client.get_client)
    return client


@pytest.fixture
def store() -> ClickHouseStore:
    return ClickHouseStore(StoreTarget(url="http://127.0.0.1:8404"))


async def test_rows_become_latencies(client: Client, store: ClickHouseStore) -> None:
    found = await store.latencies(Span.HOUR)
    (step,) = found.steps
    assert (step.ttft_p50_seconds, step.ttft_p95_seconds, step.tps_p95) == (0.1, None, 60.0)
    assert client.asked[1] == {"database": "comptoir", "seconds": 3_600, "step_seconds": 60}
    assert client.made == 1
    await store.close()
    assert client.closed == 1


async def test_rows_become_loads_and_what_is_stored(client: Client, store: ClickHouseStore) -> None:
    (load,) = (await store.loads(Span.DAY)).steps
    assert (load.running_requests, load.waiting_requests, load.kv_usage) == (1.5, 2, 0.5)
    found = await store.stored()
    assert found.retention_days == 14
    assert found.kinds[0].faults == ("1 missing", "4 overdue")
    assert found.kinds[0].oldest_at_seconds == 1_000


async def test_a_kind_without_rows_has_no_oldest(client: Client, store: ClickHouseStore) -> None:
    client.rows |= {questions.OLDEST: [], questions.RETENTION: []}
    found = await store.stored()
    assert (found.kinds[0].oldest_at_seconds, found.retention_days) == (0.0, 0)


@pytest.mark.parametrize("code", [60, 81])
async def test_tables_that_are_not_there_yet_are_empty(
    client: Client, store: ClickHouseStore, code: int
) -> None:
    client.failure = DatabaseError("", code=code)
    assert (await store.loads(Span.HOUR)).steps == ()


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (DatabaseError("secret", code=159), "ClickHouse's error 159"),
        (OperationalError("secret"), "does not answer"),
        (OSError("secret"), "does not answer"),
    ],
)
async def test_a_failure_is_one_sentence_and_the_next_question_connects_anew(
    client: Client, store: ClickHouseStore, failure: Exception, said: str
) -> None:
    client.failure = failure
    with pytest.raises(SourceAwayError) as away:
        await store.loads(Span.HOUR)
    assert said in str(away.value)
    assert "secret" not in str(away.value)
    client.failure = None
    await store.loads(Span.HOUR)
    assert (client.made, client.closed) == (2, 1)
