"""A replica that fails is left alone, tried with one request, and given all of them back."""

from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.placement.circuit import CLOSED, Circuit, CircuitRules, CircuitState

RULES = CircuitRules(failures=3, open_seconds=5)


def failed(times: int, now: float = 0.0, circuit: Circuit = CLOSED) -> Circuit:
    for _ in range(times):
        circuit = circuit.failed(now, RULES)
    return circuit


def test_failures_in_a_row_open_it_and_an_answer_between_them_begins_anew() -> None:
    assert failed(2).lets_in(0)
    assert not failed(3).lets_in(0)
    assert failed(2, circuit=failed(2).served(0)).lets_in(0)


def test_failures_that_are_far_apart_do_not_add_up() -> None:
    assert failed(2, now=100, circuit=failed(2)).lets_in(100)


def test_one_request_tries_it_and_no_second_one_until_that_has_had_its_time() -> None:
    circuit = failed(3)
    assert circuit.state(4.9) is CircuitState.OPEN
    assert circuit.lets_in(5)
    tried = circuit.sent(5)
    assert not tried.lets_in(5)
    assert tried.lets_in(15)
    assert tried.state(15) is CircuitState.CLOSED


def test_an_answer_to_the_request_that_tries_it_closes_it() -> None:
    assert failed(3).sent(5).served(6) == CLOSED


def test_it_is_left_alone_for_longer_each_time_that_fails_and_never_for_more_than_a_minute() -> None:
    circuit, now, spells = failed(3), 0.0, []
    for _ in range(6):
        spells.append(circuit.open_until_seconds - now)
        now = circuit.open_until_seconds
        circuit = circuit.sent(now).failed(now, RULES)
    assert spells == [5, 10, 20, 40, 60, 60]


def test_what_was_sent_before_it_opened_neither_closes_it_nor_keeps_it_open_longer() -> None:
    circuit = failed(3)
    assert failed(9, now=1, circuit=circuit) == circuit
    assert circuit.served(1) == circuit


def test_none_is_left_alone_where_the_setting_says_so() -> None:
    circuit = CLOSED
    for _ in range(100):
        circuit = circuit.failed(0, CircuitRules(failures=0))
    assert circuit.lets_in(0)


@given(st.lists(st.tuples(st.sampled_from(["failed", "served", "sent"]), st.floats(0, 30)), max_size=40))
def test_nothing_that_happens_leaves_a_replica_alone_for_ever(events: list[tuple[str, float]]) -> None:
    circuit, now = CLOSED, 0.0
    for what, seconds in events:
        now += seconds
        if what == "failed":
            circuit = circuit.failed(now, RULES)
        else:
            circuit = circuit.served(now) if what == "served" else circuit.sent(now)
    assert circuit.lets_in(now + 60)
