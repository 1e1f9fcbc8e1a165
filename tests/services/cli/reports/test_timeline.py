"""The life of a request: every part's notes in the order of time, and what each says."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.local.stack.errors import StackError
from services.cli.reports.timeline import Noted, parse_id, steps_of
from services.kernel.identity import Identity

BEGIN = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
ADMITTED: dict[str, Any] = {
    "started_at": BEGIN + timedelta(milliseconds=1),
    "model": "m",
    "decided": "admitted",
    "why": "none",
    "replica": 3,
    "class": "batch",
    "reserved_tokens": 1_500,
    "max_output_tokens": 1_000,
    "duration_microseconds": 2_000_000,
}
GENERATED: dict[str, Any] = {
    "started_at": BEGIN + timedelta(milliseconds=2_010),
    "ended": "stop",
    "why": "none",
    "replica": 3,
    "attempt": 1,
    "input_tokens": 500,
    "cached_input_tokens": 16,
    "output_tokens": 40,
    "predicted_kv_blocks": 94,
    "actual_kv_blocks": 34,
    "queue_microseconds": 300_000,
    "prefill_microseconds": 100_000,
    "ttft_microseconds": 450_000,
    "duration_microseconds": 1_000_000,
}
SERVED: dict[str, Any] = {
    "started_at": BEGIN,
    "route": "chat_completions",
    "why": "none",
    "http_status": 200,
    "is_client_cancelled": False,
    "request_bytes": 2_048,
    "response_bytes": 4_096,
    "client_retry_count": 1,
    "admitted_microseconds": 2_005_000,
    "first_byte_microseconds": 2_500_000,
    "duration_microseconds": 3_020_000,
}


def told(noted: Noted) -> list[tuple[float, str, str]]:
    return [(round((step.at - BEGIN).total_seconds(), 3), step.who, step.what) for step in steps_of(noted)]


def test_a_request_is_told_from_its_arrival_to_its_last_byte() -> None:
    assert told(Noted([ADMITTED], [GENERATED], [SERVED])) == [
        (0, "edge", "received: chat_completions, 2,048 bytes, retry 1 of its SDK"),
        (0.001, "router", "asked to admit: m, class batch"),
        (
            2.001,
            "router",
            "admitted after 2.000 s held: replica 3, 1,500 tokens reserved, at most 1,000 of output",
        ),
        (2.005, "edge", "has a ticket"),
        (2.01, "replica 3", "received: attempt 1"),
        (2.36, "replica 3", "scheduled after 0.300 s queued"),
        (2.46, "replica 3", "first token"),
        (2.5, "edge", "first byte of content sent"),
        (
            3.01,
            "replica 3",
            "ended: stop; 500 input tokens (16 cached), 40 output, KV blocks 34 (94 predicted)",
        ),
        (3.02, "edge", "ended: HTTP 200, 4,096 bytes sent"),
    ]


def test_a_refusal_says_its_reason_and_no_wait_that_was_none() -> None:
    refused = {**ADMITTED, "decided": "refused", "why": "tokens_exhausted", "duration_microseconds": 900}
    noted = Noted([refused])
    assert told(noted)[-1] == (0.002, "router", "refused, tokens_exhausted")
    assert not noted.is_open


def test_what_was_admitted_and_has_no_end_is_open_and_a_second_attempt_is_told() -> None:
    assert Noted([ADMITTED]).is_open
    again = {
        **GENERATED,
        "attempt": 2,
        "ended": "engine_failed",
        "why": "engine_failed",
        "ttft_microseconds": 0,
    }
    noted = Noted([ADMITTED], [GENERATED, again])
    assert not noted.is_open
    whats = [what for _, _, what in told(noted)]
    assert "received: attempt 2" in whats
    assert any(what.startswith("ended: engine_failed, engine_failed; ") for what in whats)


def test_a_caller_that_went_away_is_told() -> None:
    gone = {**SERVED, "http_status": 499, "why": "client_cancelled", "is_client_cancelled": True}
    assert told(Noted((), (), [gone]))[-1][2] == (
        "ended: HTTP 499, client_cancelled, 4,096 bytes sent, the caller was gone"
    )


@given(
    st.integers(1, 2**64 - 1), st.integers(0, 2**64 - 1), st.sampled_from(["", "chatcmpl-", "resp_", "cmpl-"])
)
def test_the_id_of_an_answer_leads_to_its_request(high: int, low: int, prefix: str) -> None:
    assert parse_id(f"{prefix}{high:016x}{low:016x}") == Identity(high, low)


@pytest.mark.parametrize("text", ["", "12", "x" * 32, "0" * 33, "a-b-" + "0" * 32])
def test_what_is_no_id_is_one_sentence(text: str) -> None:
    with pytest.raises(StackError, match="32 hexadecimal digits"):
        parse_id(text)
