"""What becomes of requests that want to leave their replica is a metric."""

from services.edge.adapters.hedge_counter import HedgeCounter
from services.edge.domain.hedging import HedgeOutcome
from tests.services.runtime.metrics.collecting import collected


def test_every_outcome_is_counted_by_its_name() -> None:
    with collected() as shown:
        hedges = HedgeCounter()
        for outcome in (*HedgeOutcome, HedgeOutcome.MOVED):
            hedges.count(outcome)
        counts = {dict(key)["outcome"]: value for (_, key), value in shown.series().items()}
    assert counts == {"moved": 2, **dict.fromkeys(("kept", "busy", "nobody_else", "over_budget"), 1)}
