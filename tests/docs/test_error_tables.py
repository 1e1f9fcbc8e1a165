"""Every reason is told: when it is given, in a sentence with its numbers, and what its caller does next."""

import re
from pathlib import Path

import pytest

from docs.error_tables import entries, message, of_http, overview, told, when
from services.edge.domain.openai.errors import HTTP_ERRORS
from services.kernel.reasons import Reason

TESTS = Path(__file__).resolve().parents[1]
NAMED = re.compile(r"(?:\bReason\.|ERROR_REASON_)([A-Z_]+)\b")
# Here every reason is one of many; that it is reached is for others to show.
OF_ALL = {"tests/docs", "tests/services/kernel"}
LIMITED = [reason for reason in told() if reason.row.rate]


def test_every_reason_is_named_by_a_test_that_reaches_it() -> None:
    named: set[str] = set()
    for path in TESTS.rglob("*.py"):
        if str(path.parent.relative_to(TESTS.parent)) not in OF_ALL:
            named.update(NAMED.findall(path.read_text(encoding="utf-8")))
    assert [reason.name for reason in told() if reason.name not in named] == []


@pytest.mark.parametrize("reason", told())
def test_a_reason_says_when_it_is_given_what_happened_and_what_comes_next(reason: Reason) -> None:
    row = reason.row
    assert when(reason).endswith(".")
    assert row.what.endswith((".", ":"))
    assert row.next_step.endswith(".")
    assert row.next_step not in row.what
    assert row.sentence == f"{row.what} {row.next_step}"
    assert message(reason)


@pytest.mark.parametrize("reason", LIMITED)
def test_a_limit_is_told_with_its_numbers_and_the_moment_when_it_is_over(reason: Reason) -> None:
    amounts = set(re.findall(r"\d+(?:\.\d+)?", message(reason)))
    if reason.row.code == "rate_limit_exceeded":
        assert {"4096", "3096", "5000"} <= amounts
        assert "try again in 1.5s" in message(reason)
    else:
        assert {"4096", "3096", "5000"} <= amounts or {"40.96", "30.96", "50.00"} <= amounts
        assert "anew at 2027-01-01 00:00:00 UTC" in message(reason)


def test_a_message_that_has_numbers_is_the_one_that_the_page_shows() -> None:
    page = "\n".join(entries())
    assert (
        "> This model's maximum context length is 4096 tokens. However, your messages resulted in 5000"
        in page
    )
    assert "> Invalid 'temperature': expected a number from 0 to 2." in page


def test_a_reason_has_one_row_one_section_and_one_word_for_its_next_try() -> None:
    rows, page = list(overview())[2:], "\n".join(entries())
    assert len(rows) == page.count("\n### ") == page.count("**Next:** ") == len(Reason) - 1
    expired = next(row for row in rows if "`TICKET_EXPIRED`" in row)
    assert expired == (
        "| [`TICKET_EXPIRED`](#ticket_expired) | `FAILED_PRECONDITION` | with a new ticket | yes "
        "| 503 `ticket_expired` |"
    )


def test_refusals_that_only_http_knows_are_a_row_each() -> None:
    assert len(list(of_http())) == len(HTTP_ERRORS) + 2
