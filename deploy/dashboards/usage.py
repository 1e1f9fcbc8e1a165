"""What is used and what it costs; tenants are pseudonyms, which only who holds the secret can link."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.dashboards.board import Panels, board
from deploy.dashboards.panels import Series, graph, stored_graph, stored_table
from deploy.dashboards.promql import quantile, rate
from deploy.dashboards.sql import select
from services.runtime.metrics.registry import generator

_REGION_MODEL = "{{region}} {{gen_ai_request_model}}"
_BY = ("region", "gen_ai_request_model")
_CHOSEN = ("region", "model")
_TOKENS = ("requests", "input_tokens", "cached_input_tokens", "output_tokens")


def build() -> Dashboard:
    """Returns the dashboard."""
    return board(
        "comptoir-usage",
        "Comptoir: usage",
        "Tokens and requests, now from the metrics and counted from the store, and what they cost.",
        {"Now": _now(), "Counted": _counted(), "Cost": _cost()},
    )


def _now() -> Panels:
    return (
        graph(
            "Input tokens per second",
            generator.INPUT_TOKENS.meaning,
            "short",
            Series(rate(generator.INPUT_TOKENS, *_BY), _REGION_MODEL),
        ),
        graph(
            "Output tokens per second",
            generator.OUTPUT_TOKENS.meaning,
            "short",
            Series(rate(generator.OUTPUT_TOKENS, *_BY), _REGION_MODEL),
        ),
        graph(
            "Share of input tokens from the prefix cache",
            generator.CACHED_INPUT_TOKENS.meaning,
            "percentunit",
            Series(
                f"{rate(generator.CACHED_INPUT_TOKENS, *_BY)} / ({rate(generator.INPUT_TOKENS, *_BY)} > 0)",
                _REGION_MODEL,
            ),
        ),
        graph(
            "Tokens of a request, p95",
            generator.TOKEN_USAGE.meaning,
            "short",
            Series(
                quantile(0.95, generator.TOKEN_USAGE, *_BY, "gen_ai_token_type"),
                f"{_REGION_MODEL} {{{{gen_ai_token_type}}}}",
            ),
        ),
    )


def _counted() -> Panels:
    return (
        stored_graph(
            "Requests and tokens by hour",
            "From the view latency_by_hour: requests that ended by themselves.",
            "short",
            select(
                "latency_by_hour",
                *("hour AS time", "concat(region, ' ', model, ' ', priority) AS series", *_TOKENS),
                hour="hour",
                chosen=_CHOSEN,
                order="time",
            ),
            width=24,
        ),
        stored_table(
            "By day, model and ending",
            "From the view usage_by_day: every request that a generator accepted, cancelled ones too.",
            select(
                "usage_by_day",
                *("day", "region", "model", "outcome", *_TOKENS),
                day="day",
                chosen=_CHOSEN,
                order="day DESC, output_tokens DESC",
            ),
        ),
        stored_table(
            "By day and tenant",
            "From the view usage_by_tenant. A tenant is its pseudonym of an epoch; fewer than ten requests "
            "of a day are not shown.",
            select(
                "usage_by_tenant",
                *("day", "region", "model", "tenant", "key_epoch", *_TOKENS),
                day="day",
                chosen=_CHOSEN,
                where="requests >= 10",
                order="day DESC, output_tokens DESC",
            ),
        ),
    )


def _cost() -> Panels:
    series = "concat(region, ' ', model, ' ', gpu) AS series"
    return (
        stored_graph(
            "Cost of an hour, and what of it was idle",
            "From the view cost_per_million_tokens, in the currency of the price list (usage.gpu_prices).",
            "short",
            select(
                "cost_per_million_tokens",
                *("hour AS time", series, "cost", "idle_cost", "cancelled_cost", "batch_saved"),
                hour="hour",
                chosen=_CHOSEN,
                where="cost IS NOT NULL",
                order="time",
            ),
        ),
        stored_graph(
            "Cost per million tokens by hour",
            "From the view cost_per_million_tokens: the whole cost of the hour, idle time too, by input and "
            "output tokens of requests that ended by themselves.",
            "short",
            select(
                "cost_per_million_tokens",
                *("hour AS time", series, "cost_per_million_tokens"),
                hour="hour",
                chosen=_CHOSEN,
                where="cost_per_million_tokens IS NOT NULL",
                order="time",
            ),
        ),
        stored_table(
            "Cost by day and tenant",
            "From the view cost_by_tenant_day. Without a tenant: what was idle; fewer than ten requests of a "
            "day are not shown.",
            select(
                "cost_by_tenant_day",
                *("day", "region", "model", "tenant", "key_epoch", "currency", "requests"),
                *("cost", "served_cost", "cancelled_cost", "idle_cost"),
                day="day",
                chosen=_CHOSEN,
                where="cost IS NOT NULL AND (requests >= 10 OR tenant = '')",
                order="day DESC, cost DESC",
            ),
        ),
    )
