"""Queries on the store are bounded by the chosen time, regions and models, and in their rows."""

from deploy.dashboards.sql import select


def test_a_query_without_a_choice_reads_a_whole_view_up_to_a_bound() -> None:
    assert select("pipeline_lag", "kind", order="kind") == (
        "SELECT kind FROM ${database}.pipeline_lag ORDER BY kind LIMIT 500"
    )


def test_every_choice_is_a_condition() -> None:
    query = select("v", "a", "b", hour="hour", chosen=("region", "model"), where="b > 1", order="a")
    assert query == (
        "SELECT a, b FROM ${database}.v WHERE $__timeFilter(hour) AND region IN (${region:singlequote}) "
        "AND model IN (${model:singlequote}) AND b > 1 ORDER BY a LIMIT 500"
    )


def test_rows_are_summed_up_where_a_panel_says_by_what() -> None:
    query = select("v", "a", "sum(b) AS c", where="b > 1", group="a", order="a")
    assert query == "SELECT a, sum(b) AS c FROM ${database}.v WHERE b > 1 GROUP BY a ORDER BY a LIMIT 500"


def test_a_day_is_bounded_by_days() -> None:
    assert "WHERE $__dateFilter(day) ORDER" in select("v", "a", day="day", order="a")
