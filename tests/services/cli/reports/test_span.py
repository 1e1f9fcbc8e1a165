"""--since and --until: back from now, or a moment in UTC."""

from datetime import UTC, datetime, timedelta

import pytest

from deploy.local.stack.errors import StackError
from services.cli.reports.span import Span, parse_span

NOW = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "since"),
    [
        ("30m", NOW - timedelta(minutes=30)),
        ("24h", NOW - timedelta(days=1)),
        ("7d", NOW - timedelta(days=7)),
        ("2026-11-27", datetime(2026, 11, 27, tzinfo=UTC)),
        ("2026-11-27T08:15", datetime(2026, 11, 27, 8, 15, tzinfo=UTC)),
        ("2026-11-27T09:15+01:00", datetime(2026, 11, 27, 8, 15, tzinfo=UTC)),
    ],
)
def test_a_time_is_back_from_now_or_a_moment_in_utc(text: str, since: datetime) -> None:
    assert parse_span(text, "", NOW) == Span(since, NOW)


def test_a_span_may_end_before_now() -> None:
    assert parse_span("48h", "2026-11-26", NOW).shown == "2026-11-25 09:30 to 2026-11-26 00:00 UTC"


@pytest.mark.parametrize("text", ["", "24", "1w", "0h", "yesterday", "2026-13-01", "999999d"])
def test_what_is_no_time_is_one_sentence_with_examples(text: str) -> None:
    with pytest.raises(StackError, match="--since is 30m, 24h or 7d back"):
        parse_span(text, "", NOW)


@pytest.mark.parametrize("until", ["2h", "2026-11-27T08:30"])
def test_an_end_before_the_beginning_is_refused(until: str) -> None:
    with pytest.raises(StackError, match="--since 1h is not before --until"):
        parse_span("1h", until, NOW)
