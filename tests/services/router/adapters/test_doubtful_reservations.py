"""What is to be undone is known until it is, and no more of it than is bounded."""

from services.kernel.identity import Identity
from services.router.adapters.doubtful_reservations import DoubtfulReservations

LEASES = [Identity(0, number) for number in range(1, 6)]


def test_the_oldest_ones_are_taken_first_and_once() -> None:
    doubtful = DoubtfulReservations()
    doubtful.note(LEASES)
    doubtful.forget(LEASES[1])
    doubtful.forget(Identity(0, 99))
    assert doubtful.take(2) == [LEASES[0], LEASES[2]]
    assert doubtful.take(9) == LEASES[3:]
    assert doubtful.take(9) == []


def test_of_too_many_the_oldest_ones_are_left_to_their_time() -> None:
    doubtful = DoubtfulReservations(most=2)
    doubtful.note(LEASES)
    assert doubtful.take(9) == LEASES[3:]
