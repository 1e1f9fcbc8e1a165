"""Which replicas may take a request: its tenant's, large enough, ready, with a right clock, and not full."""

from collections.abc import Callable, Sequence

from services.kernel.engine_features import field_of, has_all
from services.kernel.errors import ComptoirError, Numbers, Reason
from services.router.domain.limits import RouterLimits
from services.router.domain.placement.kinds import Requirement
from services.router.domain.placement.replica import Registration, Replica, State


def open_to(replicas: Sequence[Replica], tenant: int) -> Sequence[Replica]:
    """Returns those that serve a tenant: all but what serves another one alone."""
    return [replica for replica in replicas if replica.registration.tenant in (0, tenant)]


def kept_for(replicas: Sequence[Replica], tenant: int) -> Sequence[Replica]:
    """Returns those that serve that tenant alone; all, if none does.

    Others stay free for those who can go nowhere else.
    """
    return [replica for replica in replicas if replica.registration.tenant == tenant] or replicas


def check_fit(replicas: Sequence[Replica], tokens: int) -> None:
    """Raises CONTEXT_TOO_LONG if there are replicas and none could ever hold the tokens."""
    if replicas and not any(fits(replica.registration, tokens) for replica in replicas):
        largest_tokens = max(replica.registration.cache_tokens for replica in replicas)
        raise ComptoirError(Reason.CONTEXT_TOO_LONG, numbers=Numbers(limit=largest_tokens))


def check_needs(replicas: Sequence[Replica], required: Requirement, may_come: Callable[[], bool]) -> None:
    """Raises PARAMETER_UNSUPPORTED, with the field, if a tenant's replicas have not what is needed.

    Not where it has none at all, nor where one that has it `may_come`: that is worth another try.
    """
    needs = required.needs
    if not needs:
        return
    features = [one.registration.features for one in open_to(replicas, required.tenant)]
    if not features or any(has_all(one, needs) for one in features) or may_come():
        return
    # What the nearest of them has not.
    missing = (needs & ~one for one in features)
    raise ComptoirError(Reason.PARAMETER_UNSUPPORTED, field=field_of(min(missing, key=int.bit_count)))


def fits(registration: Registration, tokens: int) -> bool:
    """Tells whether the replica's KV cache can hold the tokens; one that does not say its size is trusted."""
    if registration.kv_blocks == 0 or tokens <= registration.cache_tokens:
        return True
    return predicted_kv_blocks(tokens, registration) <= registration.kv_blocks


def predicted_kv_blocks(tokens: int, registration: Registration, choices: int = 1) -> int:
    """Returns the KV-cache blocks that the tokens fill on that replica; 0 where it does not say.

    Each choice has a context of its own. One has to fit: further ones can wait for it.
    """
    if registration.kv_block_tokens == 0:
        return 0
    return -(-min(tokens, choices * registration.context_tokens) // registration.kv_block_tokens)


def state_of(replica: Replica, limits: RouterLimits, now_seconds: float) -> State:
    """Returns the replica's state; of several reasons the one that explains the others."""
    if replica.load is None:
        return State.STARTING
    if now_seconds - replica.reported_at_seconds > limits.report_timeout_seconds:
        return State.SILENT
    if replica.load.is_draining or replica.is_drain_wanted:
        return State.DRAINING
    return State.READY if is_clock_right(replica.clock_offset_seconds, limits) else State.CLOCK_WRONG


def is_clock_right(offset_seconds: float | None, limits: RouterLimits) -> bool:
    """Tells whether a replica with that offset takes this router's tickets; without a time it is trusted."""
    return offset_seconds is None or abs(offset_seconds) <= limits.clock_tolerance_seconds


def is_full(replica: Replica) -> bool:
    """Tells whether the replica holds as many requests as it takes."""
    return replica.open_requests >= replica.registration.max_requests
