"""How well a region serves: time to first token, speed, failures and refusals."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.dashboards.board import Panels, board
from deploy.dashboards.panels import Series, graph, number, stored_graph, stored_table
from deploy.dashboards.promql import quantile, rate, recorded
from deploy.dashboards.sql import select
from services.runtime.metrics.registry import edge, generator, router

_REGION_MODEL = "{{region}} {{gen_ai_request_model}}"
_BY = ("region", "gen_ai_request_model")
_TTFT = "region_model:gen_ai_server_time_to_first_token_seconds"
_HOURLY = ("hour AS time", "concat(region, ' ', model, ' ', priority) AS series")
_FAILED = "region:http_server_requests_failed"


def build() -> Dashboard:
    """Returns the dashboard."""
    return board(
        "comptoir-slo",
        "Comptoir: SLO by region",
        "What callers see, beside what was promised.",
        {"Now": _now(), "First token and speed": _speed(), "Failures and refusals": _failures()},
    )


def _now() -> Panels:
    p95 = recorded(f"{_TTFT}:p95_rate5m", has_model=True)
    target = recorded(f"{_TTFT}:target", has_model=True)
    return (
        number(
            "TTFT p95 of its target",
            "Time to first token of the last 5 minutes by its target; 1 is the promise. From a request's "
            "arrival at its replica; what a router held it before is in the first text at the edge.",
            "percentunit",
            # Of no requests there is no quantile, which is not a number and no promise broken or kept.
            Series(f"({p95} >= 0) / {target}", _REGION_MODEL),
            bad_from=1,
        ),
        number(
            "Failed requests",
            "Share of HTTP requests that ended with a status of 500 or above, in 5 minutes.",
            "percentunit",
            Series(recorded(f"{_FAILED}:ratio_rate5m"), "{{region}}"),
            bad_from=0.01,
        ),
        number(
            "Requests",
            "HTTP requests that ended per second, in 5 minutes.",
            "reqps",
            Series(recorded("region:http_server_requests:rate5m"), "{{region}}"),
        ),
        number(
            "Output tokens",
            "Output tokens per second, in 5 minutes.",
            "short",
            Series(
                recorded("region_model:comptoir_generator_output_tokens:rate5m", has_model=True),
                _REGION_MODEL,
            ),
        ),
    )


def _speed() -> Panels:
    return (
        graph(
            "Time to first token, p95 and target",
            generator.TTFT.meaning,
            "s",
            Series(recorded(f"{_TTFT}:p95_rate5m", has_model=True), f"{_REGION_MODEL}"),
            Series(recorded(f"{_TTFT}:target", has_model=True), f"{_REGION_MODEL} target"),
        ),
        graph(
            "Time to first token, p50 and p99",
            generator.TTFT.meaning,
            "s",
            Series(recorded(f"{_TTFT}:p50_rate5m", has_model=True), f"{_REGION_MODEL} p50"),
            Series(recorded(f"{_TTFT}:p99_rate5m", has_model=True), f"{_REGION_MODEL} p99"),
        ),
        graph(
            "First text at the edge, p95",
            edge.FIRST_TEXT.meaning,
            "s",
            Series(quantile(0.95, edge.FIRST_TEXT, "region"), "{{region}}"),
        ),
        graph(
            "Time per output token, p95",
            generator.TPOT.meaning,
            "s",
            Series(quantile(0.95, generator.TPOT, *_BY), _REGION_MODEL),
        ),
        graph(
            "Whole requests, p50 and p95",
            generator.DURATION.meaning,
            "s",
            Series(quantile(0.5, generator.DURATION, *_BY), f"{_REGION_MODEL} p50"),
            Series(quantile(0.95, generator.DURATION, *_BY), f"{_REGION_MODEL} p95"),
        ),
        graph(
            "Where the first token waits, p95",
            "The engine's queue, and the prefill behind it.",
            "s",
            Series(quantile(0.95, generator.QUEUE_TIME, *_BY), f"{_REGION_MODEL} queue"),
            Series(quantile(0.95, generator.PREFILL_TIME, *_BY), f"{_REGION_MODEL} prefill"),
        ),
        stored_graph(
            "TTFT p50, p95 and p99 by hour, of the store",
            "Exact quantiles of requests that ended by themselves, from the view latency_by_hour.",
            "s",
            select(
                "latency_by_hour",
                *_HOURLY,
                *("ttft_p50_seconds AS p50", "ttft_p95_seconds AS p95", "ttft_p99_seconds AS p99"),
                hour="hour",
                chosen=("region", "model"),
                order="time",
            ),
        ),
        stored_graph(
            "Output tokens per second and request by hour, of the store",
            "Tokens after the first, per second after it, from the view latency_by_hour.",
            "short",
            select(
                "latency_by_hour",
                *_HOURLY,
                *("tps_per_request_p50 AS p50", "tps_per_request_p95 AS p95"),
                hour="hour",
                chosen=("region", "model"),
                order="time",
            ),
        ),
    )


def _failures() -> Panels:
    return (
        graph(
            "HTTP requests by status",
            edge.REQUEST_DURATION.meaning,
            "reqps",
            Series(
                rate(edge.REQUEST_DURATION, "region", "http_response_status_code"),
                "{{region}} {{http_response_status_code}}",
            ),
        ),
        graph(
            "Refusals by reason",
            router.ADMISSIONS.meaning,
            "reqps",
            Series(
                rate(router.ADMISSIONS, "region", "reason", where='reason!="UNSPECIFIED"'),
                "{{region}} {{reason}}",
            ),
        ),
        graph(
            "Generations by outcome",
            generator.REQUESTS.meaning,
            "reqps",
            Series(rate(generator.REQUESTS, "region", "outcome"), "{{region}} {{outcome}}"),
        ),
        graph(
            "Tries to leave a replica",
            edge.HEDGES.meaning,
            "short",
            Series(rate(edge.HEDGES, "region", "outcome"), "{{region}} {{outcome}}"),
        ),
        stored_table(
            "Refusals by hour and reason, of the store",
            "From the view refusals_by_hour; a row of a key that may not be used stands for many requests.",
            select(
                "refusals_by_hour",
                *("hour", "region", "reason", "requests"),
                hour="hour",
                chosen=("region",),
                order="hour DESC, requests DESC",
            ),
        ),
    )
