"""Settled tickets are remembered for as long as they may be said again, and no more of them than may be."""

from services.kernel.identity import Identity
from services.router.adapters.remembered_tickets import REMEMBERED_SECONDS, RememberedTickets


def test_a_ticket_is_forgotten_once_nobody_says_it_again() -> None:
    ended = RememberedTickets(10)
    ended.add(Identity(0, 1), 100.0)
    ended.forget(100.0 + REMEMBERED_SECONDS - 0.1)
    assert Identity(0, 1) in ended
    ended.forget(100.0 + REMEMBERED_SECONDS)
    assert Identity(0, 1) not in ended


def test_of_too_many_the_oldest_are_forgotten() -> None:
    ended = RememberedTickets(2)
    for number in (1, 2, 3):
        ended.add(Identity(0, number), 100.0)
    ended.forget(100.0)
    assert [Identity(0, number) in ended for number in (1, 2, 3)] == [False, True, True]
