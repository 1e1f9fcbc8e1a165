"""What a report asks of the store: a view, how its rows are grouped, what is counted of each group."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from deploy.local.stack.errors import StackError
from services.cli.reports.span import Span

_BY_TIME: Final = ("minute", "hour", "day")
# A moment of UTC has whole steps of each since then.
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STEP: Final = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}


@dataclass(frozen=True, slots=True)
class Measure:
    """A number of each group: its column, how the store reckons it, its title and its form in a table."""

    name: str
    sql: str
    title: str
    form: str = "count"
    is_shown: bool = True
    """In a table; files have all."""


@dataclass(frozen=True, slots=True)
class Report:
    """A view with what its rows may be grouped by; `moment` is the column that the span bounds."""

    name: str
    view: str
    moment: str
    dimensions: Mapping[str, str]
    measures: tuple[Measure, ...]
    usual: tuple[str, ...]
    where: str = ""
    order: str = ""

    def grouped_by(self, text: str) -> tuple[str, ...]:
        """Returns the names of `--by`; StackError with those that there are."""
        names = tuple(name.strip() for name in text.split(",")) if text else self.usual
        unknown = [name for name in names if name not in self.dimensions]
        if unknown or len(set(names)) < len(names):
            known = ", ".join(self.dimensions)
            raise StackError(f"--by of report {self.name} takes some of {known}, with commas between them.")
        return names

    def covered(self, span: Span) -> Span:
        """Returns the span from the beginning of its first step: a view by the hour has no part of one."""
        step = _STEP.get(self.moment, timedelta(microseconds=1))
        return span._replace(since=span.since - (span.since - _EPOCH) % step)

    def question(self, by: tuple[str, ...], span: Span) -> tuple[str, dict[str, Any]]:
        """Returns the query and its parameters."""
        groups = [f"{self.dimensions[name]} AS group_{name}" for name in by]
        measures = [f"{measure.sql} AS {measure.name}" for measure in self.measures]
        times = [f"group_{name}" for name in by if name in _BY_TIME]
        others = [f"group_{name}" for name in by if name not in _BY_TIME]
        order = [*(f"{time} DESC" for time in times), *([self.order] if self.order else []), *others]
        text = (
            f"SELECT {', '.join((*groups, *measures))} FROM comptoir.{self.view}"  # noqa: S608 - names of ours
            f" WHERE {' AND '.join((self._bounds, *([self.where] if self.where else [])))}"
            f" GROUP BY {', '.join(f'group_{name}' for name in by)} ORDER BY {', '.join(order)}"
        )
        return text, {"since": _micro(self.covered(span).since), "until": _micro(span.until)}

    @property
    def _bounds(self) -> str:
        since, until = (f"fromUnixTimestamp64Micro({{{name}:Int64}}, 'UTC')" for name in ("since", "until"))
        if self.moment == "day":
            # A day that begins with `until` is the next span's: months that follow each other share none.
            return f"day >= toDate({since}) AND day <= toDate({until} - toIntervalMicrosecond(1))"
        return f"{self.moment} >= {since} AND {self.moment} < {until}"


def _micro(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)


def _times(column: str, *steps: str) -> dict[str, str]:
    known = {
        "minute": f"toStartOfMinute({column})",
        "hour": f"toStartOfHour({column})",
        "day": f"toDate({column})",
    }
    return {step: known[step] for step in steps}


def _columns(*names: str) -> dict[str, str]:
    return {name: name for name in names}


def _quantile(level: float, column: str) -> str:
    """A quantile of the rows that have the number; NULL where none has."""
    return (
        f"if(countIf({column} IS NOT NULL) = 0, NULL, "
        f"quantileTDigestIf({level})(assumeNotNull({column}), {column} IS NOT NULL))"
    )


LATENCY: Final = Report(
    "latency",
    "measured_generations",
    "started_at",
    {
        **_columns("region", "model", "priority", "replica", "tenant"),
        **_times("started_at", "minute", "hour", "day"),
    },
    (
        Measure("requests", "count()", "requests"),
        Measure("ttft_p50_seconds", _quantile(0.5, "ttft_seconds"), "TTFT p50 ms", "milliseconds"),
        Measure("ttft_p95_seconds", _quantile(0.95, "ttft_seconds"), "p95", "milliseconds"),
        Measure("ttft_p99_seconds", _quantile(0.99, "ttft_seconds"), "p99", "milliseconds", is_shown=False),
        Measure("tpot_p50_seconds", _quantile(0.5, "tpot_seconds"), "TPOT p50 ms", "milliseconds"),
        Measure("tpot_p95_seconds", _quantile(0.95, "tpot_seconds"), "p95", "milliseconds", is_shown=False),
        Measure("tps_per_request_p50", f"1 / ({_quantile(0.5, 'tpot_seconds')})", "TPS p50", "whole"),
        Measure("e2e_p95_seconds", "quantileTDigest(0.95)(e2e_seconds)", "E2E p95 s", "number"),
    ),
    ("region", "model", "priority"),
    where="is_whole",
)
USAGE: Final = Report(
    "usage",
    "measured_generations",
    "started_at",
    {
        **_columns("region", "model", "priority", "outcome", "replica", "tenant"),
        **_times("started_at", "hour", "day"),
    },
    (
        Measure("requests", "count()", "requests"),
        Measure("cancelled_requests", "countIf(NOT is_whole)", "cancelled"),
        Measure("input_tokens", "sum(measured_generations.input_tokens)", "input tokens"),
        Measure("cached_input_tokens", "sum(measured_generations.cached_input_tokens)", "cached"),
        Measure("output_tokens", "sum(measured_generations.output_tokens)", "output tokens"),
    ),
    ("region", "model"),
    order="output_tokens DESC",
)
ERRORS: Final = Report(
    "errors",
    "errors_by_reason",
    "hour",
    {
        **_columns("told_by", "reason", "region", "model", "outcome", "http_status"),
        **_times("errors_by_reason.hour", "hour", "day"),
    },
    (Measure("requests", "sum(errors_by_reason.requests)", "requests"),),
    ("told_by", "reason"),
    order="requests DESC",
)
# Minutes have as many samples as came in them.
_MEAN: Final = "sum({} * queue_and_headroom.samples) / sum(queue_and_headroom.samples)"
_KNOWN: Final = "kv_predictions.actual_per_predicted IS NOT NULL"
_SHARE_UNDER: Final = "countIf(kv_predictions.actual_per_predicted > 1)"
KV: Final = Report(
    "kv",
    "kv_predictions",
    "started_at",
    {
        **_columns("region", "model", "priority", "replica", "tenant"),
        **_times("started_at", "minute", "hour", "day"),
    },
    (
        Measure("requests", "count()", "requests"),
        Measure("unknown_requests", f"count() - countIf({_KNOWN})", "unknown"),
        Measure("predicted_blocks", f"sumIf(kv_predictions.predicted_kv_blocks, {_KNOWN})", "predicted"),
        Measure("actual_blocks", f"sumIf(kv_predictions.actual_kv_blocks, {_KNOWN})", "actual"),
        Measure("ratio_p50", _quantile(0.5, "actual_per_predicted"), "ratio p50", "number"),
        Measure("ratio_p95", _quantile(0.95, "actual_per_predicted"), "p95", "number"),
        Measure("ratio_p99", _quantile(0.99, "actual_per_predicted"), "p99", "number"),
        Measure(
            "under_predicted_share",
            f"if(countIf({_KNOWN}) = 0, NULL, {_SHARE_UNDER} / countIf({_KNOWN}))",
            "under",
            "share",
        ),
    ),
    ("region", "model"),
    where="is_whole",
    order="requests DESC",
)
HEADROOM: Final = Report(
    "headroom",
    "queue_and_headroom",
    "minute",
    {
        **_columns("region", "model", "replica"),
        **_times("queue_and_headroom.minute", "minute", "hour", "day"),
    },
    (
        Measure("samples", "sum(queue_and_headroom.samples)", "samples", is_shown=False),
        Measure("waiting_max", "max(waiting_requests_max)", "waiting max"),
        Measure("waiting_avg", _MEAN.format("waiting_requests_avg"), "mean", "number"),
        Measure("running_max", "max(running_requests_max)", "running max"),
        Measure("kv_max", "max(kv_usage_max)", "KV max", "share"),
        Measure("kv_avg", _MEAN.format("kv_usage_avg"), "mean", "share"),
        Measure("free_bytes_min", "min(accelerator_free_bytes_min)", "free memory", "bytes"),
        Measure("preempted", "sum(preempted_requests)", "preempted", is_shown=False),
    ),
    ("region", "model", "replica"),
)
