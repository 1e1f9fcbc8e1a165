"""Refused callers are counted, and told once by their kind, without the names of people and tenants."""

import structlog

from services.runtime.grpc.callers import Refusal
from services.runtime.grpc.refused_callers import RefusedCallers
from tests.services.runtime.metrics.collecting import collected

METHOD = "comptoir.router.v1.RouterService/Admit"
GERMANY = "spiffe://comptoir.internal/region/eu-de"


def test_every_refusal_is_counted_by_its_reason() -> None:
    with collected() as metrics:
        refused = RefusedCallers()
        for _ in range(3):
            refused.tell(Refusal.OTHER_REGION, METHOD, (f"{GERMANY}/process/edge",))
        refused.tell(Refusal.NOT_LISTED, METHOD, ())
        assert metrics.value("comptoir.rpc.callers_refused", reason="other_region") == 3
        assert metrics.value("comptoir.rpc.callers_refused", reason="not_listed") == 1


def test_a_line_says_region_and_process_and_neither_people_nor_instances() -> None:
    with structlog.testing.capture_logs() as lines:
        refused = RefusedCallers()
        for path in ("edge", "edge/acme-1", "operator-ada", "operator-bea"):
            refused.tell(Refusal.OTHER_REGION, METHOD, (f"{GERMANY}/process/{path}",))
        refused.tell(Refusal.NO_REGION, METHOD, (f"{GERMANY}/process/edge", "https://example.eu"))
    assert [(line["reason"], line["kind"]) for line in lines] == [
        ("other_region", "eu-de/edge"),
        ("other_region", "eu-de/other"),
        ("no_region", "unnamed"),
    ]


def test_however_many_regions_come_there_are_256_lines_at_most() -> None:
    with structlog.testing.capture_logs() as lines:
        refused = RefusedCallers()
        for number in range(1000):
            uri = f"spiffe://comptoir.internal/region/eu-{number}/process/edge"
            refused.tell(Refusal.OTHER_REGION, METHOD, (uri,))
    assert len(lines) == 256
