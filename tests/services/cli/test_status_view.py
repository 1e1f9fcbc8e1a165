"""What a person sees of a running stack: why, since when, how far behind; in 80 columns."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from services.cli.status_view import duration, print_status

NOW = datetime(2026, 11, 25, 14, 3, 20, tzinfo=UTC)


def process(name: str, state: str = "ready", **more: Any) -> dict[str, Any]:
    return {"name": name, "pid": 8123, "state": state, "restarts": 0, "since": "2026-11-25T12:00:00Z", **more}


def replica(**more: Any) -> dict[str, Any]:
    return {
        "number": 1,
        "model": "tiny-eu",
        "region": "eu-fr",
        "state": "ready",
        "running_requests": 3,
        "waiting_requests": 1,
        "in_flight_requests": 4,
        "max_requests": 256,
        "kv_usage_permille": 125,
        "report_age_seconds": 0.31,
        "clock_offset_seconds": 0.0,
        **more,
    }


def shown(**more: Any) -> str:
    screen = io.StringIO()
    state = {
        "phase": "ready",
        "base_url": "http://127.0.0.1:8400/v1",
        "model": "tiny-eu",
        "data_dir": "/somewhere/comptoir-data",
        "clickhouse_url": "http://127.0.0.1:8404",
        "kafka": "127.0.0.1:8405",
        "processes": [process("edge"), process("generator")],
        "replicas": [replica()],
        "store_lag": {"behind_seconds": 2, "waiting_frames": 3},
        **more,
    }
    print_status(Console(file=screen, width=80, color_system=None), state, NOW)
    assert max(map(len, screen.getvalue().splitlines())) <= 80
    return screen.getvalue()


def test_a_stack_that_runs_shows_since_when_with_which_replicas_and_how_far_behind() -> None:
    said = shown()
    assert "edge" in said
    assert "2 h 3 min" in said
    assert [word for word in ("tiny-eu", "4/256", "12 %", "0.3 s") if word not in said] == []
    assert "The store is 2 s behind, 3 frames wait." in said


def test_routers_that_lend_every_quota_by_themselves_are_said() -> None:
    assert "Each of 3 routers lends every quota and budget by itself." in shown(routers_with_own_quotas=3)
    assert "by itself" not in shown(routers_with_own_quotas=0) + shown()


def test_a_process_that_is_not_ready_says_why_and_one_that_died_says_of_what() -> None:
    said = shown(
        processes=[
            process("usage", "unready", why="clock_behind (offset_seconds 86401)"),
            process("router", restarts=2, last_cause="was killed by signal 9"),
        ]
    )
    assert "clock_behind" in said
    assert "86401" in said
    assert "was killed by signal 9" in " ".join(said.split())


def test_a_replica_with_a_wrong_clock_says_by_how_much() -> None:
    assert "by 11 s" in " ".join(
        shown(replicas=[replica(state="clock wrong", clock_offset_seconds=11.2)]).split()
    )


def test_several_models_and_replicas_are_all_named_and_numbered() -> None:
    said = shown(
        models=["one", "two"], replicas=[replica(), replica(number=12, model="two", state="draining")]
    )
    assert "/v1, models one, two\n" in said
    assert [line.split()[:3] for line in said.splitlines() if "/256" in line] == [
        ["1", "tiny-eu", "ready"],
        ["12", "two", "draining"],
    ]


def test_a_stack_whose_parts_do_not_answer_is_said_and_not_guessed() -> None:
    assert "lag is not known" in shown(store_lag={"behind_seconds": None, "waiting_frames": None})
    assert "replica" not in shown(replicas=None, store_lag=None)
    assert "No replica is registered" in shown(replicas=[])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (75, "1 min 15 s"),
        (3_600, "1 h"),
        (90_061, "1 d 1 h"),
    ],
)
def test_durations_have_their_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (
            {"held_by": "peak window", "peak_left_seconds": 7_380, "interactive_ttft_p95_seconds": 0.2},
            "Batch of tiny-eu is held back: a peak window, 2 h 3 min more.",
        ),
        (
            {"held_by": "first tokens", "peak_left_seconds": 0, "interactive_ttft_p95_seconds": 1.83},
            "Batch of tiny-eu is held back: interactive ones wait 1.8 s (p95).",
        ),
        (
            {"held_by": "first tokens", "peak_left_seconds": 0, "interactive_ttft_p95_seconds": None},
            "Batch of tiny-eu is held back: interactive requests wait for a replica.",
        ),
    ],
)
def test_batch_that_is_held_back_is_said_with_its_reason(state: dict[str, Any], sentence: str) -> None:
    assert sentence in shown(batch=[{"model": "tiny-eu", **state}])
    assert "held back" not in shown(batch=[{"model": "tiny-eu", **state, "held_by": None}])
    assert "held back" not in shown(batch=None)


def test_a_replica_of_one_tenant_says_whose_it_is() -> None:
    assert "tenant 12 alone" in " ".join(shown(replicas=[replica(tenant=12)]).split())
    assert "alone" not in shown(replicas=[replica(tenant=0)])
