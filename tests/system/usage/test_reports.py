"""`comptoir report` on the real engine: numbers that were reckoned by hand, as table, JSON and CSV."""

import asyncio
import csv
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.usage.domain.gpu_prices import GpuPrice
from services.contract.events import Kind
from services.contract.pseudonym import Pseudonyms
from services.kernel.reasons import Reason
from tests.services.cli.running import Terminal
from tests.system.clickhouse_process import ClickHouseProcess
from tests.system.usage.store import Store, yesterday

pytestmark = pytest.mark.system

SECRET = bytes(range(32))
CHEAP, DEAR = 7, 8
SECOND = 1_000_000


@pytest.fixture(scope="module")
def _filled(clickhouse: ClickHouseProcess) -> None:
    asyncio.run(_fill(clickhouse))


async def _fill(clickhouse: ClickHouseProcess) -> None:
    store = Store(clickhouse, "comptoir")
    await store.apply()
    await store.declare(
        GpuPrice(gpu_class=CHEAP, name="l40s", price_per_hour=1.8),
        GpuPrice(gpu_class=DEAR, name="h100", price_per_hour=3.6),
    )
    for replica in (CHEAP, DEAR):
        for clock in ("10:00:00", "10:05:00"):
            await store.happened(
                Kind.REPLICA_LOAD,
                yesterday(clock),
                model=1,
                replica=replica,
                gpu_class=replica,
                waiting_requests=4,
                kv_usage_permille=250,
                accelerator_free_bytes=3 * 2**30,
            )
    high, low = Pseudonyms(SECRET, 1).tenant(5)
    own = {"model": 1, "tenant_high": high, "tenant_low": low, "key_epoch": 1, "outcome": 1}
    timed = {"ttft_microseconds": SECOND, "duration_microseconds": 60 * SECOND, "input_tokens": 200}
    await store.happened(
        Kind.GENERATION,
        yesterday("10:01:00"),
        replica=CHEAP,
        priority=20,
        output_tokens=300,
        **timed,
        **own,
        predicted_kv_blocks=40,
        actual_kv_blocks=32,
    )
    await store.happened(
        Kind.GENERATION,
        yesterday("10:02:00"),
        replica=DEAR,
        output_tokens=100,
        **timed,
        **own,
        actual_kv_blocks=19,
    )
    await store.happened(
        Kind.EDGE_REQUEST, yesterday("10:03:00"), count=2, reason=int(Reason.ENGINE_FAILED), http_status=502
    )
    await store.connection.close()


@pytest.fixture
def reports(
    _filled: None,
    clickhouse: ClickHouseProcess,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Any:
    terminal = Terminal(monkeypatch, capsys)
    monkeypatch.setenv("COLUMNS", "80")
    midnight = f"{yesterday('00:00:00'):%Y-%m-%d}"

    def run(*arguments: str) -> str:
        since = () if "--since" in arguments else ("--since", midnight)
        said = terminal.comptoir("report", *arguments, *since, "--clickhouse", clickhouse.url)
        assert said.status == 0, said.err
        assert max(map(len, said.out.splitlines())) <= 80 or "--json" in arguments or "--csv" in arguments
        return said.out

    return run


def rows_of(out: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(out)["rows"]
    return rows


def test_cost_has_the_parts_the_rate_and_what_batch_saved(reports: Any) -> None:
    cheap, dear = sorted(rows_of(reports("cost", "--json")), key=lambda row: str(row["gpu"]), reverse=True)
    # 300 s at 1.80 an hour are 0.15, of which 60 s are 0.03; at 3.60 twice that.
    assert (cheap["gpu"], cheap["currency"], cheap["requests"]) == ("l40s", "EUR", 1)
    assert [cheap[name] for name in ("cost", "served_cost", "idle_cost", "batch_saved", "utilisation")] == [
        pytest.approx(number) for number in (0.15, 0.03, 0.12, 0.03, 0.2)
    ]
    assert cheap["cost_per_million_tokens"] == pytest.approx(300)
    assert dear["cost_per_million_tokens"] == pytest.approx(1000)
    shown = reports("cost", "--explain")
    assert "1.8000 / (1.6667 x 3600 / 1000000) = 300.0000 EUR" in shown
    assert "Batch requests cost 0.0300 and saved 0.0300" in shown


def test_what_if_another_accelerator_did_the_same_work(reports: Any) -> None:
    supposed = ("--what-if", "gpu=l40s,utilisation=0.8,speed=0.5", "--json")
    rows = {row["gpu"]: row["what_if_per_million"] for row in rows_of(reports("cost", *supposed))}
    # 300 tokens in 60 s are 5 a second, 2.5 at half the speed, 2 on average: 1.80 an hour by 0.0072 millions.
    assert rows == {"h100": pytest.approx(250), "l40s": pytest.approx(150)}
    said = " ".join(reports("cost", "--what-if", supposed[1]).split())
    assert "by the price list; 0.5 times as fast as you say" in said


def test_tenants_have_names_for_who_holds_the_secret(
    reports: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of(reports("cost", "--by", "tenant", "--json"))
    assert [(row["tenant_name"], row["cost"]) for row in rows] == [
        ("(idle)", pytest.approx(0.36)),
        (None, pytest.approx(0.09)),
    ]
    secret = tmp_path / "epoch-1"
    secret.write_text(SECRET.hex())
    secret.chmod(0o600)
    monkeypatch.setattr("services.cli.reports.asking.tenants_of", lambda *_: {5: "atelier"})
    named = reports("cost", "--by", "tenant", "--pseudonyms", f"1={secret}")
    assert "atelier" in named
    used = rows_of(reports("usage", "--by", "tenant", "--json", "--pseudonyms", f"1={secret}"))
    assert [row["tenant_name"] for row in used] == ["atelier"]


def test_csv_has_a_line_for_each_group_and_every_number(reports: Any) -> None:
    lines = list(csv.DictReader(io.StringIO(reports("usage", "--by", "day,priority", "--csv"))))
    day = f"{yesterday('00:00:00'):%Y-%m-%d}"
    assert [(line["day"], line["priority"], line["requests"], line["output_tokens"]) for line in lines] == [
        (day, "batch", "1", "300"),
        (day, "interactive", "1", "100"),
    ]


def test_latency_errors_and_headroom_are_grouped_as_asked(reports: Any) -> None:
    (latency,) = rows_of(reports("latency", "--by", "model", "--json"))
    assert (latency["model"], latency["requests"], latency["ttft_p95_seconds"]) == ("m", 2, 1)
    (error,) = rows_of(reports("errors", "--json"))
    assert (error["told_by"], error["reason"], error["requests"]) == ("edge", "engine_failed", 2)
    (headroom,) = rows_of(reports("headroom", "--by", "model", "--json"))
    assert (headroom["waiting_max"], headroom["kv_max"], headroom["free_bytes_min"]) == (4, 0.25, 3 * 2**30)
    for report in ("latency", "errors", "headroom", "usage", "kv"):
        assert "…" not in reports(report)


def test_predictions_are_told_with_what_was_filled_and_unknown_ones_apart(reports: Any) -> None:
    (kv,) = rows_of(reports("kv", "--by", "model", "--json"))
    assert (kv["requests"], kv["unknown_requests"], kv["predicted_blocks"], kv["actual_blocks"]) == (
        2,
        1,
        40,
        32,
    )
    assert (kv["ratio_p50"], kv["under_predicted_share"]) == (pytest.approx(0.8), 0)
    unknown = next(
        row for row in rows_of(reports("kv", "--by", "replica", "--json")) if row["unknown_requests"]
    )
    assert (unknown["ratio_p95"], unknown["under_predicted_share"]) == (None, None)


def test_an_error_of_the_last_half_hour_is_not_denied(reports: Any) -> None:
    # The view knows the hour of an error; a span that began within it had none of it.
    half_past, eleven = (f"{yesterday(clock):%Y-%m-%dT%H:%M}" for clock in ("10:30:00", "11:00:00"))
    told = json.loads(reports("errors", "--since", half_past, "--until", eleven, "--json"))
    assert [row["requests"] for row in told["rows"]] == [2]
    assert told["since"] == yesterday("10:00:00").isoformat()
    assert rows_of(reports("cost", "--since", half_past, "--until", eleven, "--json"))


def test_a_day_is_in_one_of_two_spans_that_follow_each_other(reports: Any) -> None:
    midnight = yesterday("00:00:00")
    before, after = (f"{midnight + timedelta(days=days):%Y-%m-%d}" for days in (-1, 1))
    between = f"{midnight:%Y-%m-%d}"
    spans = [(before, between), (between, after)]
    for by in ("tenant", "model"):
        found = [
            rows_of(reports("cost", "--by", by, "--since", since, "--until", until, "--json"))
            for since, until in spans
        ]
        assert [sum(row["cost"] for row in rows) for rows in found] == [0, pytest.approx(0.45)]


@pytest.mark.parametrize(
    ("report", "by"),
    [
        ("latency", "region,model,priority,replica,tenant,minute,hour,day"),
        ("errors", "told_by,reason,region,model,outcome,http_status,hour,day"),
        ("usage", "region,model,priority,outcome,replica,tenant,hour,day"),
        ("headroom", "region,model,replica,minute,hour,day"),
        ("kv", "region,model,priority,replica,tenant,minute,hour,day"),
        ("cost", "region,model,gpu,hour,day"),
        ("cost", "tenant,region,model,day"),
    ],
)
def test_every_name_of_by_can_be_asked_for(reports: Any, report: str, by: str) -> None:
    assert rows_of(reports(report, "--by", by, "--json"))
