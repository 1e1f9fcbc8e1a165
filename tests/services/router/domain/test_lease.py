"""What a lease knows of itself."""

from services.kernel.identity import Identity
from services.router.domain.lease import Hold, Lease, Process
from services.router.domain.quota import Held
from tests.contracts.leases import PAYER

HOLD = Hold(Process(2, 5), Held(), 60.0)


def test_a_lease_is_over_when_it_holds_nothing() -> None:
    lease = Lease(Identity(0, 1), PAYER, Held(), 12.0, is_reserved=False)
    assert lease.is_over
    assert not Lease(Identity(0, 1), PAYER, Held(), 12.0).is_over
    for holds in (lease.accepted, lease.lost):
        holds[Identity(1, 1)] = HOLD
        assert not lease.is_over
        holds.clear()


def test_the_ticket_for_a_replica_is_found_whatever_became_of_it() -> None:
    lease = Lease(Identity(0, 1), PAYER, Held(), 12.0, issued={Identity(1, 1): Process(1, 5)})
    lease.accepted[Identity(1, 2)] = HOLD
    lease.lost[Identity(1, 3)] = Hold(Process(3, 5), Held(), 60.0)
    assert [lease.ticket_on(replica).low for replica in (1, 2, 3)] == [1, 2, 3]
    assert not lease.ticket_on(4).is_set
