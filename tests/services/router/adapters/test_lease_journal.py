"""The journal of what a router lent by itself holds each step once, and no more of them than leases make."""

from services.kernel.identity import Identity
from services.router.adapters.lease_journal import Cancellation, LeaseJournal, Release


def test_what_is_said_over_and_over_is_remembered_once() -> None:
    journal = LeaseJournal()
    for lease_id in (Identity(0, 1), Identity(0, 2)):
        for _ in range(100):
            journal.note(Release(lease_id))
    assert (len(journal), journal.leases) == (2, 2)
    journal.note(Cancellation(Identity(0, 1)))
    journal.note(Release(Identity(0, 1)))
    assert len(journal) == 4, "what came between may have changed what it does"
