"""What the pipeline shows of the store: nothing before it looked, and how old the look is."""

from pipelines.usage.adapters.otel_meter import OtelMeter
from pipelines.usage.domain.ports import StoreCheck
from services.contract.events import Kind
from services.kernel.clock import ManualClock
from tests.services.runtime.metrics.collecting import collected


def test_what_the_store_holds_is_shown_once_it_was_looked_at() -> None:
    clock = ManualClock()
    with collected() as shown:
        meter = OtelMeter(clock)
        clock.advance(20)
        assert shown.value("comptoir.usage.missing_events", kind="generation") is None
        assert shown.value("comptoir.usage.unended_requests") is None
        assert shown.value("comptoir.usage.store_check_age") == 20
        meter.checked(StoreCheck({Kind.GENERATION: 2}, {Kind.GENERATION: 1}, {Kind.ADMIN_ACT: 60.0}, 4))
        clock.advance(5)
        assert shown.value("comptoir.usage.missing_events", kind="generation") == 2
        assert shown.value("comptoir.usage.double_events", kind="generation") == 1
        assert shown.value("comptoir.usage.retention_overdue", kind="admin_act") == 60
        assert shown.value("comptoir.usage.unended_requests") == 4
        assert shown.value("comptoir.usage.store_check_age") == 5
