"""Queries name a metric as Prometheus has it, and no label that it has not."""

import pytest

from deploy.dashboards.promql import largest, quantile, rate, recorded, smallest, total
from services.runtime.metrics.registry import emitter, generator, router

CHOSEN = 'region=~"$region"'
BOTH = f'{CHOSEN}, gen_ai_request_model=~"$model"'


def test_a_counter_is_counted_per_second_within_what_was_chosen() -> None:
    assert rate(emitter.ACCEPTED, "region") == (
        f"sum by (region) (rate(comptoir_spool_accepted_total{{{CHOSEN}}}[$__rate_interval]))"
    )


def test_a_metric_of_models_is_of_the_chosen_ones() -> None:
    assert rate(generator.TTFT, "region") == (
        f"sum by (region) (rate(gen_ai_server_time_to_first_token_seconds_count{{{BOTH}}}[$__rate_interval]))"
    )


def test_a_quantile_is_over_the_buckets_of_all_that_is_not_told_apart() -> None:
    assert quantile(0.95, generator.TTFT, "region") == (
        "histogram_quantile(0.95, sum by (region, le) "
        f"(rate(gen_ai_server_time_to_first_token_seconds_bucket{{{BOTH}}}[$__rate_interval])))"
    )


def test_gauges_are_added_up_or_compared() -> None:
    series = f"comptoir_spool_oldest_age_seconds{{{CHOSEN}}}"
    assert total(emitter.OLDEST_AGE, "instance") == f"sum by (instance) ({series})"
    assert largest(emitter.OLDEST_AGE, "region") == f"max by (region) ({series})"
    assert smallest(emitter.OLDEST_AGE, "job") == f"min by (job) ({series})"


def test_a_condition_stands_beside_what_was_chosen() -> None:
    query = rate(router.ADMISSIONS, "region", where='reason!="UNSPECIFIED"')
    assert f'{{{CHOSEN}, reason!="UNSPECIFIED"}}' in query


def test_a_label_that_a_metric_has_not_is_refused() -> None:
    with pytest.raises(ValueError, match="has no label kind"):
        rate(emitter.ACCEPTED, "region", "kind")
    with pytest.raises(ValueError, match="has no label kind"):
        total(emitter.EVENTS, "region", where='kind="generation"')


def test_a_recorded_series_is_of_the_chosen_regions_and_models() -> None:
    assert recorded("region:a:b") == f"region:a:b{{{CHOSEN}}}"
    assert recorded("region_model:a:b", has_model=True) == f"region_model:a:b{{{BOTH}}}"
