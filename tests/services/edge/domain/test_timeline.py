from services.edge.domain.timeline import EdgeRequest
from services.kernel.identity import Identity


def test_a_moment_that_did_not_come_is_zero() -> None:
    event = EdgeRequest(Identity(1, 2), 0, received_seconds=10.0)
    assert event.microseconds_to(0.0) == 0
    assert event.microseconds_to(10.0000017) == 2
    assert event.microseconds_to(9.0) == 0
