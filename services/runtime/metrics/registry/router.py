"""Metrics of the router."""

from typing import Final

from services.runtime.metrics.metric import Attribute, Counter, Gauge, Metric
from services.runtime.metrics.registry.attributes import MODEL, REASON, REPLICA

_ROUTER: Final = ("router",)
_TRANSITION: Final = Attribute(
    "transition",
    (
        *("reserved", "accepted", "accepted_unreserved", "recovered", "accepted_again", "accepted_late"),
        *("settled", "settled_after_loss", "settled_unreserved", "handed_back", "settled_again"),
        *("released", "cancelled", "lost", "expired"),
    ),
)
_SHARED_STORE: Final = "with `router.lease_store.while_away: local_share`"

ADMISSIONS: Final = Counter(
    "comptoir.router.admissions",
    "{request}",
    "Decisions on requests; the reason UNSPECIFIED is admitted.",
    (REASON,),
    _ROUTER,
)
REFUSALS_LOST: Final = Counter(
    "comptoir.router.refusals_lost",
    "{event}",
    "Decisions that were not recorded, for which nobody waits: the emitter was away for long.",
    (),
    _ROUTER,
)
HELD_REQUESTS: Final = Gauge(
    "comptoir.router.held_requests",
    "{request}",
    "Requests that the router holds: no replica of their model is ready, none has free KV blocks for them, "
    "or they are batch.",
    (),
    _ROUTER,
)
LEASES: Final = Counter(
    "comptoir.router.leases",
    "{lease}",
    "Transitions of quota leases; reserved minus all that close a lease is in flight.",
    (_TRANSITION,),
    _ROUTER,
)
LEASE_STORE_AWAY: Final = Gauge(
    "comptoir.router.lease_store_away",
    "s",
    "For how long the lease store has been away, or has not heard what was lent meanwhile; else 0.",
    (),
    _ROUTER,
)
LEASES_UNTOLD: Final = Gauge(
    "comptoir.router.leases_untold",
    "{lease}",
    "Leases of this router's share of which the store is to be told when it is back.",
    (),
    _ROUTER,
    condition=_SHARED_STORE,
)
UNREADABLE_LEASES: Final = Counter(
    "comptoir.router.unreadable_leases",
    "{call}",
    "Calls that failed because what the shared lease store has of an account or a lease cannot be read.",
    (),
    _ROUTER,
    condition=_SHARED_STORE,
)
LEASES_LENT_HERE: Final = Counter(
    "comptoir.router.leases_lent_here",
    "{lease}",
    "Leases that this router lent of its share while the store was away.",
    (),
    _ROUTER,
    condition=_SHARED_STORE,
)
KEY_CHANGES_UNSEEN: Final = Counter(
    "comptoir.router.key_changes_unseen",
    "{look}",
    "Looks for changes of keys that the store did not answer; what is remembered of keys ends then.",
    (),
    _ROUTER,
)
KEY_CHANGES_AGE: Final = Gauge(
    "comptoir.router.key_changes_age",
    "s",
    "Time since the last look for changes of keys that the store answered; it looks five times a second.",
    (),
    _ROUTER,
)
REPLICAS: Final = Gauge(
    "comptoir.router.replicas",
    "{replica}",
    "Replicas that are registered with this router; only `ready` ones get requests.",
    (MODEL, Attribute("state", ("ready", "starting", "silent", "draining", "clock_wrong"))),
    _ROUTER,
)
DESIRED_REPLICAS: Final = Gauge(
    "comptoir.router.desired_replicas",
    "{replica}",
    "Replicas that a model should have, which is what KEDA is told.",
    (MODEL,),
    _ROUTER,
    condition="for the models of `router.scaling`",
)
FAILING_REPLICAS: Final = Gauge(
    "comptoir.router.failing_replicas",
    "{replica}",
    "Replicas that do not become ready within `loading_seconds`, or after three restarts. Another is wanted "
    "in place of each, as many as are ready.",
    (MODEL,),
    _ROUTER,
    condition="for the models of `router.scaling`",
)
REPLICA_REGISTRATIONS: Final = Counter(
    "comptoir.router.replica_registrations",
    "{registration}",
    "Registrations of replicas, one at each start and one after each loss of the connection. Many in a short "
    "time: the replica flaps.",
    (MODEL, REPLICA),
    _ROUTER,
)
REPLICA_RUNNING: Final = Gauge(
    "comptoir.router.replica_running_requests",
    "{request}",
    "Requests in the running batch of a replica, as it reported last.",
    (MODEL, REPLICA),
    _ROUTER,
)
REPLICA_WAITING: Final = Gauge(
    "comptoir.router.replica_waiting_requests",
    "{request}",
    "Requests that wait in the engine of a replica, as it reported last.",
    (MODEL, REPLICA),
    _ROUTER,
)
REPLICA_KV_USAGE: Final = Gauge(
    "comptoir.router.replica_kv_usage",
    "{share}",
    "Share of a replica's KV cache in use, 0 to 1, as it reported last.",
    (MODEL, REPLICA),
    _ROUTER,
)
REPLICA_REPORT_AGE: Final = Gauge(
    "comptoir.router.replica_report_age",
    "s",
    "Age of a replica's last report; beyond `router.report_timeout_seconds` it gets no requests.",
    (MODEL, REPLICA),
    _ROUTER,
)
BATCH_HELD_BACK: Final = Gauge(
    "comptoir.router.batch_held_back",
    "{state}",
    "Why a model's batch requests are held back: 0 they are not, 1 by a peak window, 2 because interactive "
    "ones wait too long for a first token.",
    (MODEL,),
    _ROUTER,
)
INTERACTIVE_TTFT: Final = Gauge(
    "comptoir.router.interactive_ttft",
    "s",
    "Time to first token of interactive requests in the last minute, p95 over a model's replicas; 0 where "
    "there were none.",
    (MODEL,),
    _ROUTER,
)

METRICS: Final[tuple[Metric, ...]] = (
    ADMISSIONS,
    REFUSALS_LOST,
    HELD_REQUESTS,
    LEASES,
    LEASE_STORE_AWAY,
    LEASES_UNTOLD,
    UNREADABLE_LEASES,
    LEASES_LENT_HERE,
    KEY_CHANGES_UNSEEN,
    KEY_CHANGES_AGE,
    REPLICAS,
    DESIRED_REPLICAS,
    FAILING_REPLICAS,
    REPLICA_REGISTRATIONS,
    REPLICA_RUNNING,
    REPLICA_WAITING,
    REPLICA_KV_USAGE,
    REPLICA_REPORT_AGE,
    BATCH_HELD_BACK,
    INTERACTIVE_TTFT,
)
