"""A region of planned replicas: as many streams on each as were planned, and what all their GPUs cost."""

from deploy.local.stack.errors import StackError
from services.cli.capacity.assumptions import Assumptions
from services.cli.planning.replica_plan import ReplicaPlan


def with_replicas(assumed: Assumptions, found: ReplicaPlan) -> Assumptions:
    """Returns the assumptions with the streams of a planned replica; StackError where it is too slow."""
    requests = found.planner.asked.concurrency
    each = found.chosen.decoding.tokens_per_second / requests
    if each < assumed.tokens_per_second:
        raise StackError(
            f"A stream gets {each:,.1f} tokens/s at most where {requests:,} share the replica; "
            f"--tokens-per-second asks {assumed.tokens_per_second:g}. Take a smaller --concurrency, or "
            "another --gpu."
        )
    return assumed.model_copy(update={"streams_per_replica": requests})


def gpus_line(assumed: Assumptions, found: ReplicaPlan) -> str:
    """Returns how many GPUs all replicas have, and their price."""
    gpus = assumed.replicas * found.chosen.replica.gpus.count
    price = found.chosen.price_per_hour
    line = f"{assumed.replicas:,} replicas are {gpus:,} x {found.chosen.gpu.name}"
    if price is None:
        return f"{line}; its price is not known."
    return f"{line}, {assumed.replicas * price:,.2f} {found.planner.catalog.currency}/h."
