"""What becomes of leases is a metric."""

from services.router.adapters.lease_counter import MeteredLeases
from services.router.domain.lease import Accepted, Ending, Opening, Settled
from tests.services.runtime.metrics.collecting import collected


def test_every_transition_is_counted_by_its_name() -> None:
    with collected() as shown:
        leases = MeteredLeases()
        for transition in (*Opening, *Accepted, *Settled, *Ending, Ending.LOST):
            leases.count(transition)
        counts = {dict(key)["transition"]: value for (_, key), value in shown.series().items()}
    # A settlement that frees a place is one transition, whether it is told by what it found or by its end.
    assert counts == {
        **dict.fromkeys(("reserved", "released", "cancelled", "expired"), 1),
        **dict.fromkeys(("accepted", "accepted_unreserved", "accepted_again", "accepted_late"), 1),
        **dict.fromkeys(("settled_after_loss", "settled_unreserved", "settled_again"), 1),
        **dict.fromkeys(("recovered", "handed_back"), 1),
        **dict.fromkeys(("settled", "lost"), 2),
    }
