"""What a report may be grouped by, and what it refuses before it asks."""

from datetime import UTC, datetime

import pytest

from deploy.local.stack.errors import StackError
from services.cli.reports.asking import Form
from services.cli.reports.cost_questions import COST, TENANTS, cost_report
from services.cli.reports.questions import ERRORS, HEADROOM, KV, LATENCY, USAGE, Report
from services.cli.reports.span import Span

SPAN = Span(datetime(2026, 11, 26, tzinfo=UTC), datetime(2026, 11, 27, tzinfo=UTC))


@pytest.mark.parametrize("report", [LATENCY, USAGE, ERRORS, HEADROOM, KV, COST, TENANTS])
def test_a_name_that_is_not_there_is_refused_with_those_that_are(report: Report) -> None:
    for text in ("colour", "region,region", "region,", "region;DROP"):
        with pytest.raises(StackError, match=f"--by of report {report.name} takes some of .*region"):
            report.grouped_by(text)
    assert report.grouped_by("") == report.usual
    assert report.grouped_by("region, model") == ("region", "model")


def test_times_go_newest_first_and_the_span_is_a_parameter() -> None:
    text, parameters = LATENCY.question(("model", "hour"), SPAN)
    assert text.endswith("GROUP BY group_model, group_hour ORDER BY group_hour DESC, group_model")
    assert parameters == {"since": 1_795_651_200_000_000, "until": 1_795_737_600_000_000}


@pytest.mark.parametrize(
    ("report", "begins"),
    [
        (USAGE, "09:20:30.000007"),
        (LATENCY, "09:20:30.000007"),
        (HEADROOM, "09:20:00"),
        (ERRORS, "09:00:00"),
        (COST, "09:00:00"),
        (TENANTS, "00:00:00"),
    ],
)
def test_a_span_begins_where_a_step_of_the_view_does(report: Report, begins: str) -> None:
    asked = Span(datetime(2026, 11, 27, 9, 20, 30, 7, tzinfo=UTC), datetime(2026, 11, 27, 9, 50, tzinfo=UTC))
    first = datetime.fromisoformat(f"2026-11-27T{begins}+00:00")
    assert report.covered(asked) == Span(first, asked.until)
    assert report.question(report.usual, asked)[1]["since"] == round(first.timestamp() * 1_000_000)


def test_a_tenants_cost_is_told_by_the_day() -> None:
    assert cost_report("")[0] is COST
    assert cost_report("tenant,day") == (TENANTS, ("tenant", "day"))
    for other in ("tenant,gpu", "hour,tenant"):
        with pytest.raises(StackError, match="by the day"):
            cost_report(other)


def test_an_answer_has_one_form() -> None:
    with pytest.raises(StackError, match="--json and --csv"):
        Form(as_json=True, as_csv=True)
