"""A dashboard of rows of panels, with the choices that all of ours have: data sources, regions, models."""

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as models

from deploy.dashboards.panels import PROMETHEUS
from deploy.dashboards.promql import TARGET_LABELS
from services.runtime.metrics.registry import generator

Panels = Sequence[Builder[models.Panel]]


def board(uid: str, title: str, description: str, rows: Mapping[str, Panels]) -> models.Dashboard:
    """Returns the dashboard; `rows` are its panels by their heading."""
    found = _empty(uid, title, description)
    for heading, panels in rows.items():
        found = found.with_row(dashboards.Row(heading))
        for panel in panels:
            found = found.with_panel(panel)
    built = found.build()
    for number, each in enumerate(built.panels or (), start=1):
        each.id_val = number
    return built


def _empty(uid: str, title: str, description: str) -> dashboards.Dashboard:
    ours = dashboards.DashboardLink("Comptoir").type(models.DashboardLinkType.DASHBOARDS)
    region = f'label_values(up{{job=~"comptoir-.+"}}, {TARGET_LABELS[0]})'
    running = generator.ENGINE_RUNNING.prometheus_name
    model = f'label_values({running}{{region=~"$region"}}, gen_ai_request_model)'
    return (
        dashboards.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["comptoir"])
        .timezone("utc")
        .time("now-6h", "now")
        .refresh("30s")
        .readonly()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .link(ours.tags(["comptoir"]).as_dropdown(as_dropdown=True).keep_time(keep_time=True))
        .with_variable(dashboards.DatasourceVariable("prometheus").label("Metrics").type("prometheus"))
        .with_variable(
            dashboards.DatasourceVariable("clickhouse").label("Store").type("grafana-clickhouse-datasource")
        )
        .with_variable(dashboards.ConstantVariable("database").value("comptoir"))
        .with_variable(_choice("region", "Region", region))
        .with_variable(_choice("model", "Model", model))
    )


def _choice(name: str, label: str, query: str) -> dashboards.QueryVariable:
    return (
        dashboards.QueryVariable(name)
        .label(label)
        .datasource(PROMETHEUS)
        .query(query)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(multi=True)
        .include_all(include_all=True)
        .current(models.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )
