"""A limit that is reached is told with whose it is, with numbers, and with the moment when it is over."""

import json

import pytest

from services.edge.domain.openai.errors import error_headers, error_json, public_error
from services.edge.domain.openai.limit_messages import limit_message
from services.kernel.errors import ComptoirError, Numbers, Reason

# 2026-11-27 00:00:00 UTC.
_MIDNIGHT_SECONDS = 1_795_737_600
_BUDGETS = (Reason.DAY_TOKENS_EXHAUSTED, Reason.MONTH_TOKENS_EXHAUSTED, Reason.BUDGET_EXHAUSTED)


def message_of(reason: Reason, numbers: Numbers, after: float = 0.0) -> str:
    error = ComptoirError(reason, numbers=numbers, retry_after_seconds=after)
    return str(json.loads(error_json(error))["error"]["message"])


def test_a_rate_says_whose_it_is_how_much_is_used_and_how_long_to_wait() -> None:
    assert message_of(Reason.TOKENS_EXHAUSTED, Numbers(1000, 300, 100), after=12.0) == (
        "Rate limit reached for this API key on tokens per min (TPM): Limit 1000, Used 900, Requested 300. "
        "Please try again in 12s."
    )
    assert message_of(Reason.REQUESTS_EXHAUSTED, Numbers(60, 1, 0, is_of_tenant=True), after=0.5) == (
        "Rate limit reached for the tenant of this API key on requests per min (RPM): "
        "Limit 60, Used 60, Requested 1. Please try again in 500ms."
    )
    assert "this API key on requests in flight: Limit 2, Used 2" in message_of(
        Reason.CONCURRENCY_EXHAUSTED, Numbers(2, 1)
    )


def test_wrong_keys_are_of_an_address_and_of_no_key() -> None:
    told = message_of(Reason.TOO_MANY_WRONG_KEYS, Numbers(10, 1), after=6.0)
    assert told.startswith("Rate limit reached on API keys from your address that nobody knows")


def test_a_day_that_is_used_up_says_when_the_next_begins() -> None:
    numbers = Numbers(100_000, 500, 10, resets_at_seconds=_MIDNIGHT_SECONDS)
    assert message_of(Reason.DAY_TOKENS_EXHAUSTED, numbers) == (
        "You exceeded your current quota of tokens per day (TPD) for this API key: Limit 100000, Used 99990, "
        "Requested 500. It begins anew at 2026-11-27 00:00:00 UTC. "
        "Wait for the next day, or ask the operator for a larger quota."
    )


def test_a_budget_is_told_in_its_currency() -> None:
    numbers = Numbers(25_000, 3, 1, is_of_tenant=True, resets_at_seconds=_MIDNIGHT_SECONDS, currency="EUR")
    assert (
        "of money per month for the tenant of this API key: Limit 250.00 EUR, Used 249.99 EUR, "
        "Requested 0.03 EUR. It begins anew at 2026-11-27 00:00:00 UTC."
    ) in message_of(Reason.BUDGET_EXHAUSTED, numbers)
    assert "Limit 0.05, Used 0.05, Requested 0.01. Wait" in message_of(
        Reason.BUDGET_EXHAUSTED, Numbers(5, 1, 0)
    )


def test_what_a_whole_budget_cannot_hold_is_told_with_its_limit_and_its_unit() -> None:
    numbers = Numbers(5, 30, 0, currency="EUR", is_of_tenant=True, limited_by=Reason.BUDGET_EXHAUSTED)
    assert message_of(Reason.QUOTA_TOO_SMALL, numbers).startswith(
        "Request too large for the tenant of this API key on money per month: "
        "Limit 0.05 EUR, Requested 0.30 EUR, where each byte"
    )
    of_day = Numbers(100, 300, 7, limited_by=Reason.DAY_TOKENS_EXHAUSTED)
    assert "for this API key on tokens per day (TPD): Limit 100, Requested 300" in (
        told := message_of(Reason.QUOTA_TOO_SMALL, of_day)
    )
    assert "Set max_completion_tokens to at most 7" in told


def test_a_time_that_no_calendar_has_is_not_told() -> None:
    assert "anew" not in message_of(Reason.DAY_TOKENS_EXHAUSTED, Numbers(1, 1, resets_at_seconds=2**64 - 1))


@pytest.mark.parametrize("reason", _BUDGETS)
def test_no_sdk_tries_a_budget_again_and_people_are_told_when_it_is_over(reason: Reason) -> None:
    public = public_error(reason)
    assert (public.status, public.type, public.code) == (429, "insufficient_quota", "insufficient_quota")
    for is_spent in (False, True):
        headers = error_headers(ComptoirError(reason, retry_after_seconds=7200.5), is_spent=is_spent)
        assert dict(headers) == {
            b"retry-after": b"7201",
            b"retry-after-ms": b"7200500",
            b"x-should-retry": b"false",
        }
    assert error_headers(ComptoirError(reason), is_spent=False) == [(b"x-should-retry", b"false")]


def test_batch_that_is_held_back_is_told_why_and_until_when() -> None:
    peak = ComptoirError(Reason.BATCH_HELD_BACK, retry_after_seconds=3 * 3600 + 60)
    assert limit_message(peak) == (
        "Requests of the class batch are held back: this is a peak window. Please try again in 3h1m0s, or in "
        "another class (service_tier, or the header x-comptoir-priority)."
    )
    assert "this is a peak window" in error_json(peak).decode()
    numbers = Numbers(limit=1_500, requested=3_445)
    slow = ComptoirError(Reason.BATCH_HELD_BACK, retry_after_seconds=10.0, numbers=numbers)
    assert "wait 3445 ms for a first token (p95) where 1500 ms are the target. Please try again in 10s" in (
        limit_message(slow)
    )
    assert (b"retry-after", b"10") in error_headers(slow, is_spent=False)
