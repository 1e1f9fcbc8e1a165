"""What becomes of leases is a metric."""

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from services.router.adapters import lease_counter
from services.router.adapters.lease_counter import MeteredLeases
from services.router.domain.lease import Accepted, Ending, Opening, Settled


def test_every_transition_is_counted_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = InMemoryMetricReader()
    meter = MeterProvider(metric_readers=[reader]).get_meter("test")
    monkeypatch.setattr(lease_counter, "counter", lambda name, **_: meter.create_counter(name))
    leases = MeteredLeases()
    for transition in (*Opening, *Accepted, *Settled, *Ending, Ending.LOST):
        leases.count(transition)
    data = reader.get_metrics_data()
    assert data is not None
    points = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    counts = {str((point.attributes or {})["transition"]): getattr(point, "value", 0) for point in points}
    # A settlement that frees a place is one transition, whether it is told by what it found or by its end.
    assert counts == {
        **dict.fromkeys(("reserved", "released", "cancelled", "expired"), 1),
        **dict.fromkeys(("accepted", "accepted_unreserved", "accepted_again", "accepted_late"), 1),
        **dict.fromkeys(("settled_after_loss", "settled_unreserved", "settled_again"), 1),
        **dict.fromkeys(("recovered", "handed_back"), 1),
        **dict.fromkeys(("settled", "lost"), 2),
    }
