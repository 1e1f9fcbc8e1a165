"""Panels in the types of Grafana's own SDK: what is asked of Prometheus, and what of the store."""

from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders import (
    common as common_builders,
)
from grafana_foundation_sdk.builders import (
    dashboard as dashboards,
)
from grafana_foundation_sdk.builders import (
    prometheus,
    stat,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models

PROMETHEUS: Final = models.DataSourceRef(type_val="prometheus", uid="${prometheus}")
CLICKHOUSE: Final = models.DataSourceRef(type_val="grafana-clickhouse-datasource", uid="${clickhouse}")
_HEIGHT: Final = 8
# How the plugin numbers what a query's rows become.
_TIME_SERIES: Final = 0
_TABLE: Final = 1


@dataclass(frozen=True, slots=True)
class Series:
    """One query of a graph on Prometheus; `legend` names its lines by their labels, in double braces."""

    query: str
    legend: str


class ClickHouseQuery(Dataquery):
    """What grafana-clickhouse-datasource reads of a target, which the SDK has no type for."""

    def __init__(self, sql: str, *, is_graph: bool) -> None:
        self._sql = sql
        self._is_graph = is_graph

    def to_json(self) -> dict[str, object]:
        """Returns the target as it stands in a dashboard."""
        return {
            "refId": "A",
            "datasource": CLICKHOUSE,
            "editorType": "sql",
            "queryType": "timeseries" if self._is_graph else "table",
            "format": _TIME_SERIES if self._is_graph else _TABLE,
            "rawSql": self._sql,
        }


class _Query(Builder[Dataquery]):
    def __init__(self, query: ClickHouseQuery) -> None:
        self._query = query

    def build(self) -> Dataquery:
        return self._query


def graph(title: str, description: str, unit: str, *series: Series, width: int = 12) -> Builder[models.Panel]:
    """Returns lines over time, of Prometheus' series."""
    panel = _graph(title, description, unit, width).datasource(PROMETHEUS)
    for letter, each in zip("ABCDEFGH", series, strict=False):
        target = prometheus.Dataquery().expr(each.query).legend_format(each.legend).range().ref_id(letter)
        panel = panel.with_target(target)
    return panel


def stored_graph(
    title: str, description: str, unit: str, sql: str, *, width: int = 12
) -> Builder[models.Panel]:
    """Returns lines over time, of the store's rows."""
    panel = _graph(title, description, unit, width).datasource(CLICKHOUSE)
    return panel.with_target(_Query(ClickHouseQuery(sql, is_graph=True)))


def stored_table(title: str, description: str, sql: str, *, width: int = 24) -> Builder[models.Panel]:
    """Returns a table of the store's rows."""
    panel = table.Panel().title(title).description(description).height(_HEIGHT).span(width)
    return panel.datasource(CLICKHOUSE).with_target(_Query(ClickHouseQuery(sql, is_graph=False)))


def number(
    title: str, description: str, unit: str, series: Series, *, bad_from: float | None = None, width: int = 6
) -> Builder[models.Panel]:
    """Returns the present value of each series; red from `bad_from` on."""
    target = prometheus.Dataquery().expr(series.query).legend_format(series.legend).instant().ref_id("A")
    steps = [models.Threshold(value=None, color="green")]
    if bad_from is not None:
        steps.append(models.Threshold(value=bad_from, color="red"))
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .height(_HEIGHT // 2)
        .span(width)
        .datasource(PROMETHEUS)
        .thresholds(dashboards.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps))
        .with_target(target)
    )


def _graph(title: str, description: str, unit: str, width: int) -> timeseries.Panel:
    legend = common_builders.VizLegendOptions().show_legend(True).display_mode(common.LegendDisplayMode.LIST)
    return (
        timeseries.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        # Soft: what is past its end is below it.
        .axis_soft_min(0)
        .tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
        .height(_HEIGHT)
        .span(width)
        .legend(legend.placement(common.LegendPlacement.BOTTOM))
    )
