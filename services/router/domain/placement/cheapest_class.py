"""The replicas of the cheapest GPU class that has room for a batch request."""

import math
from collections.abc import Sequence

from services.router.domain.limits import RouterLimits
from services.router.domain.placement.asking import Ask
from services.router.domain.placement.replica import Replica
from services.router.domain.placement.run_time import lateness_seconds


def of_cheapest_class(
    free: Sequence[Replica], ready: Sequence[Replica], ask: Ask, limits: RouterLimits
) -> list[Replica]:
    """Returns those of `free` that a batch request may go to, all of one price; none where it has to wait.

    Without a spill it keeps to the cheapest class that is `ready`. With one it goes on to the next where that
    is full, or would have it done more than `spill_seconds` later than the fastest one without others; where
    some replica does not say how fast it makes answers, where its first token would take longer than that.
    Where it would on all, it goes to the cheapest all the same. A class without a price is dearer than every
    other.
    """
    prices = limits.price_of_gpu_class

    def price(replica: Replica) -> float:
        return prices.get(replica.registration.gpu_class, math.inf)

    if not ask.may_spill:
        cheapest = min(map(price, ready))
        return [replica for replica in free if price(replica) == cheapest]
    if not free:
        return []
    late = lateness_seconds(free, ready, ask)
    in_order = sorted({price(replica) for replica in free})
    for one in in_order:
        group = [replica for replica in free if price(replica) == one]
        if min(late[replica.registration.replica] for replica in group) <= limits.batch.spill_seconds:
            return group
    return [replica for replica in free if price(replica) == in_order[0]]
