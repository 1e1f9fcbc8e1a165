"""What a replica holds, as far as the router can know."""

from tests.fakes.router import busy, replica


def test_a_replica_without_a_report_counts_what_was_sent_there() -> None:
    assert replica(1, load=None, in_flight=3).outstanding == 3


def test_a_replica_holds_what_it_said_or_what_was_sent_there_if_that_is_more() -> None:
    assert replica(1, load=busy(running=2, waiting=3), in_flight=4).outstanding == 5
    assert replica(1, load=busy(running=2, waiting=1), in_flight=4).outstanding == 4
