"""Who set the pace of a run: a busy sender, its machine, or an endpoint at its bound."""

from array import array
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.bench.exchange import Exchange
from services.cli.bench.results import ClientPart
from services.cli.bench.sender import Sender, Senders, client_of
from tests.services.cli.bench.exchanges import exchange

IN_TIME = exchange(0.0, (1.0,), sent=0.001)


def sender(share: float = 0.1, lag: float = 0.001) -> Sender:
    return Sender(10 * share, 10.0, array("d", [lag] * 100))


def client(*senders: Sender, seen: list[Exchange] | None = None, cores: int = 2, lost: int = 0) -> ClientPart:
    return client_of(Senders(senders or (sender(),), cores, lost), seen or [IN_TIME] * 10)


def test_a_sender_in_time_warns_of_nothing() -> None:
    quiet = client()
    assert (quiet.limited_by, quiet.warnings, quiet.processes) == ("", (), 1)


def test_a_busy_sender_says_so_with_numbers_and_how_many_more_to_try() -> None:
    busy = client(sender(0.3), sender(0.95, 0.034), cores=8)
    (words,) = busy.warnings
    assert busy.limited_by == "sender"
    assert busy.cpu_share == pytest.approx(0.95)
    for part in ("0.95 of a core", "34 ms late", "--processes 4", "8 cores"):
        assert part in words


def test_a_busy_sender_on_every_core_is_told_of_another_machine() -> None:
    (words,) = client(sender(0.9), sender(0.9)).warnings
    assert "another machine" in words
    assert "--processes" not in words


def test_a_sender_that_got_no_processor_is_told_apart_from_a_busy_one() -> None:
    starved = client(sender(0.1, 0.3))
    (words,) = starved.warnings
    assert starved.limited_by == "machine"
    for part in ("0.10 of a core", "300 ms late", "do not help"):
        assert part in words


def test_lateness_without_a_bound_is_the_machine_s() -> None:
    late = client(seen=[exchange(0.0, (1.0,), sent=0.25)])
    assert late.limited_by == "machine"
    assert "250 ms later" in late.warnings[0]


def test_an_endpoint_that_kept_all_places_taken_is_not_the_sender_s_fault() -> None:
    held = replace(exchange(0.0, (9.0,), sent=2.001), held_seconds=2.0)
    bound = client(seen=[IN_TIME, held])
    (words,) = bound.warnings
    assert bound.limited_by == "endpoint"
    assert (bound.held_requests, bound.held_most_seconds) == (1, 2.0)
    assert bound.sender_late_p99_seconds == pytest.approx(0.001)
    assert bound.send_late_p99_seconds > 1.9
    for part in ("1 of 2 requests", "2000 ms", "sender was in time", "--rate", "--max-in-flight"):
        assert part in words


def test_what_was_held_beside_a_busy_sender_proves_nothing_of_the_endpoint() -> None:
    held = replace(exchange(0.0, (9.0,), sent=2.0), held_seconds=2.0)
    both = client(sender(0.99), seen=[held])
    assert both.limited_by == "sender"
    assert len(both.warnings) == 2
    assert "would tell" in both.warnings[1]


def test_processes_that_died_are_counted() -> None:
    died = client(sender(), lost=1)
    assert (died.processes, died.lost_processes) == (2, 1)
    assert "1 of 2 sending processes died" in died.warnings[0]
    assert client_of(Senders((), 2, 2), []).cpu_share == 0.0


@given(st.floats(0, 1.2), st.floats(0, 2), st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3)), max_size=30))
def test_a_limit_and_a_warning_come_together(
    share: float, lag: float, delays: list[tuple[float, float]]
) -> None:
    seen = [replace(exchange(0.0, (9.0,), sent=held + own), held_seconds=held) for held, own in delays] or [
        IN_TIME
    ]
    found = client(sender(share, lag), seen=seen)
    assert bool(found.limited_by) is bool(found.warnings)
