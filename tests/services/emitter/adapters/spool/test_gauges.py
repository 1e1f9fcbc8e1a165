import json
from pathlib import Path

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from services.emitter.adapters.spool.gauges import watch
from services.kernel.clock import ManualClock
from tests.contracts.spool import events, spool_file
from tests.fakes.emitter_ports import MemorySpool


async def test_what_waits_in_the_spool_and_what_is_free_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    monkeypatch.setattr("services.runtime.telemetry.metrics.get_meter", provider.get_meter)
    clock = ManualClock()
    spool = MemorySpool(spool_file(Path()), clock)
    limits = spool_file(tmp_path)
    watch(spool, limits, clock)
    await spool.take(events([1, 2, 3]))
    clock.advance(4)
    data = reader.get_metrics_data()
    assert data is not None
    reported = json.loads(data.to_json())["resource_metrics"][0]["scope_metrics"][0]["metrics"]
    values = {metric["name"]: metric["data"]["data_points"][0]["value"] for metric in reported}
    free_bytes = values.pop("comptoir.spool.disk_free")
    assert 0 < free_bytes < 2**60
    assert values == {
        "comptoir.spool.capacity": limits.spool_max_bytes,
        "comptoir.spool.events": 3,
        "comptoir.spool.size": spool.state.size_bytes,
        "comptoir.spool.oldest_age": 4,
    }
    provider.shutdown()
