from services.edge.domain.limits import EdgeLimits

LIMITS = EdgeLimits()


def test_a_request_that_uses_every_wait_but_its_last_still_fits_its_own_bound() -> None:
    waits_seconds = LIMITS.header_seconds + LIMITS.body_seconds + LIMITS.first_text_seconds
    assert waits_seconds < LIMITS.request_seconds


def test_a_waiting_client_hears_a_ping_before_its_first_text_is_given_up() -> None:
    assert LIMITS.ping_seconds < LIMITS.first_text_seconds
    assert LIMITS.ping_seconds < LIMITS.idle_connection_seconds
