"""What becomes of requests that want to leave their replica is a metric."""

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from services.edge.adapters import hedge_counter
from services.edge.adapters.hedge_counter import HedgeCounter
from services.edge.domain.hedging import HedgeOutcome


def test_every_outcome_is_counted_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = InMemoryMetricReader()
    meter = MeterProvider(metric_readers=[reader]).get_meter("test")
    monkeypatch.setattr(hedge_counter, "counter", lambda name, **_: meter.create_counter(name))
    hedges = HedgeCounter()
    for outcome in (*HedgeOutcome, HedgeOutcome.MOVED):
        hedges.count(outcome)
    data = reader.get_metrics_data()
    assert data is not None
    points = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    counts = {str((point.attributes or {})["outcome"]): getattr(point, "value", 0) for point in points}
    assert counts == {"moved": 2, **dict.fromkeys(("kept", "busy", "nobody_else", "over_budget"), 1)}
