"""What `report cost` asks: by model, GPU class and time of one view, by tenant and day of another."""

from typing import Final

from deploy.local.stack.errors import StackError
from services.cli.reports.questions import Measure, Report

# Sums leave out what has no cost, and these tokens and seconds are of the same rows.
_PRICED: Final = "sumIf({}, cost_per_million_tokens.cost IS NOT NULL)"
_SUMS: Final = ("served_cost", "cancelled_cost", "idle_cost")
_TITLES: Final = ("served", "cancelled", "idle")


def _sums(view: str) -> tuple[Measure, ...]:
    return tuple(
        Measure(name, f"sum({view}.{name})", title, "money")
        for name, title in zip(_SUMS, _TITLES, strict=True)
    )


COST: Final = Report(
    "cost",
    "cost_per_million_tokens",
    "hour",
    {
        "region": "region",
        "model": "model",
        "gpu": "gpu",
        "hour": "toStartOfHour(cost_per_million_tokens.hour)",
        "day": "toDate(cost_per_million_tokens.hour)",
    },
    (
        Measure("currency", "max(cost_per_million_tokens.currency)", "", "text", is_shown=False),
        Measure(
            "currencies",
            "uniqIf(cost_per_million_tokens.currency, cost_per_million_tokens.currency != '')",
            "",
            is_shown=False,
        ),
        Measure("cost", "sum(cost_per_million_tokens.cost)", "cost", "money"),
        *_sums("cost_per_million_tokens"),
        Measure("requests", "sum(cost_per_million_tokens.requests)", "requests", is_shown=False),
        Measure("input_tokens", "sum(cost_per_million_tokens.input_tokens)", "input", is_shown=False),
        Measure("output_tokens", "sum(cost_per_million_tokens.output_tokens)", "output", is_shown=False),
        Measure("cancelled_tokens", "sum(cost_per_million_tokens.cancelled_tokens)", "", is_shown=False),
        Measure(
            "priced_tokens",
            _PRICED.format("cost_per_million_tokens.input_tokens + cost_per_million_tokens.output_tokens"),
            "tokens",
        ),
        Measure(
            "replica_seconds", _PRICED.format("cost_per_million_tokens.replica_seconds"), "", is_shown=False
        ),
        Measure("busy_seconds", _PRICED.format("cost_per_million_tokens.busy_seconds"), "", is_shown=False),
        Measure("gpu_seconds", _PRICED.format("cost_per_million_tokens.gpu_seconds"), "", is_shown=False),
        Measure(
            "unpriced_gpu_seconds", "sum(cost_per_million_tokens.unpriced_gpu_seconds)", "", is_shown=False
        ),
        Measure(
            "unpriced_requests",
            "sumIf(cost_per_million_tokens.requests, cost_per_million_tokens.cost IS NULL)",
            "",
            is_shown=False,
        ),
        Measure("batch_cost", "sum(cost_per_million_tokens.batch_cost)", "", "money", is_shown=False),
        Measure("batch_saved", "sum(cost_per_million_tokens.batch_saved)", "", "money", is_shown=False),
    ),
    ("model", "gpu"),
    order="cost DESC",
)
TENANTS: Final = Report(
    "cost",
    "cost_by_tenant_day",
    "day",
    {"tenant": "tenant", "region": "region", "model": "model", "day": "cost_by_tenant_day.day"},
    (
        Measure("currency", "max(cost_by_tenant_day.currency)", "", "text", is_shown=False),
        Measure(
            "currencies",
            "uniqIf(cost_by_tenant_day.currency, cost_by_tenant_day.currency != '')",
            "",
            is_shown=False,
        ),
        Measure("cost", "sum(cost_by_tenant_day.cost)", "cost", "money"),
        *_sums("cost_by_tenant_day"),
        Measure("requests", "sum(cost_by_tenant_day.requests)", "", is_shown=False),
        Measure("input_tokens", "sum(cost_by_tenant_day.input_tokens)", "input tokens"),
        Measure("cached_input_tokens", "sum(cost_by_tenant_day.cached_input_tokens)", "", is_shown=False),
        Measure("output_tokens", "sum(cost_by_tenant_day.output_tokens)", "output tokens"),
        Measure("cancelled_tokens", "sum(cost_by_tenant_day.cancelled_tokens)", "", is_shown=False),
        Measure(
            "unpriced_requests",
            "sumIf(cost_by_tenant_day.requests, cost_by_tenant_day.cost IS NULL)",
            "",
            is_shown=False,
        ),
    ),
    ("tenant",),
    order="cost DESC",
)


def cost_report(by: str) -> tuple[Report, tuple[str, ...]]:
    """Returns the report that has all of `--by`, and its names; StackError where none has."""
    names = {name.strip() for name in by.split(",")}
    if "tenant" not in names:
        return COST, COST.grouped_by(by)
    if names - TENANTS.dimensions.keys():
        raise StackError("--by tenant goes with region, model and day: a tenant's cost is told by the day.")
    return TENANTS, TENANTS.grouped_by(by)
