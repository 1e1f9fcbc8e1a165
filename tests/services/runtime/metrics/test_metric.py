"""A metric's names and bounds."""

import pytest

from services.runtime.metrics.metric import Attribute, Counter, Gauge, Histogram, unique


def test_a_metric_has_the_name_that_prometheus_makes_of_it() -> None:
    assert Counter("comptoir.spool.lost", "{event}", "x").prometheus_name == "comptoir_spool_lost_total"
    assert Gauge("comptoir.spool.size", "By", "x").prometheus_name == "comptoir_spool_size_bytes"
    assert Histogram("gen_ai.a.b", "s", "x").prometheus_name == "gen_ai_a_b_seconds"
    assert Gauge("comptoir.engine.kv_usage", "{share}", "x").prometheus_name == "comptoir_engine_kv_usage"


def test_an_attribute_admits_its_values_and_where_they_are_not_known_here_any() -> None:
    closed = Attribute("gen_ai.token.type", ("input", "output"))
    assert closed.label == "gen_ai_token_type"
    assert closed.bound == 2
    assert closed.admits("input")
    assert not closed.admits("other")
    assert Attribute("x", source="a model", most=7).admits("tiny-eu")


def test_series_are_bounded_by_the_values_of_all_attributes() -> None:
    pair = (Attribute("a", ("x", "y")), Attribute("b", source="numbers", most=30))
    assert Gauge("comptoir.a.b", "{x}", "x", pair).most_series == 60
    assert Gauge("comptoir.a.b", "{x}", "x", pair).series_limit == 61
    assert Gauge("comptoir.a.b", "{x}", "x", (*pair, *pair, *pair)).series_limit == 5_001
    assert Gauge("comptoir.a.b", "{x}", "x").series_limit == 2


def test_one_name_is_no_two_metrics() -> None:
    with pytest.raises(ValueError, match="declared twice"):
        unique([Gauge("comptoir.a.b", "s", "x"), Counter("comptoir.a.b", "s", "x")])
