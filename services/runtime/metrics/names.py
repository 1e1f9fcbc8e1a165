"""Every metric: its name, its unit and what it tells; a misspelt name is a type error."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Aliases:
    """Further names that dashboards know, for Prometheus: of families, and of their labels."""

    names: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


NO_ALIASES: Final = Aliases()

# One line per name: instrument, unit, meaning. Names of OpenTelemetry's conventions where there is one.
MetricName = Literal[
    # histogram, s: a generator's time from a request's arrival to its first output token (TTFT)
    "gen_ai.server.time_to_first_token",
    # histogram, s: a generator's mean time per output token after the first, per request (TPOT)
    "gen_ai.server.time_per_output_token",
    # histogram, s: a generator's time from a request's arrival to its last output token, by outcome
    "gen_ai.server.request.duration",
    # histogram, {token}: input and output tokens of a request, by gen_ai.token.type
    "gen_ai.client.token.usage",
    # histogram, s: the edge's time from a request's arrival to its last byte, by route and status
    "http.server.request.duration",
    # histogram, s: the edge's time from a streamed request's arrival to its first text
    "comptoir.edge.time_to_first_text",
    # counter, {request}: generations that ended, by outcome and reason
    "comptoir.generator.requests",
    # histogram, s: wait in the engine's queue
    "comptoir.generator.queue_time",
    # histogram, s: time from scheduled to first token in the engine
    "comptoir.generator.prefill_time",
    # counter, {token}: input tokens of generations that ended, cached ones included
    "comptoir.generator.input_tokens",
    # counter, {token}: input tokens that the prefix cache held
    "comptoir.generator.cached_input_tokens",
    # counter, {token}: output tokens of generations that ended
    "comptoir.generator.output_tokens",
    # gauge, {request}: requests in the engine's running batch
    "comptoir.engine.running_requests",
    # gauge, {request}: requests that wait in the engine
    "comptoir.engine.waiting_requests",
    # gauge, 1: share of the KV cache in use, 0 to 1
    "comptoir.engine.kv_usage",
    # gauge, s: age of the engine's three numbers above; they stand still while it makes no step
    "comptoir.engine.load_age",
    # counter, {request}: times that the engine took a running request back into its queue
    "comptoir.engine.preemptions",
    # histogram, s: time a process spent on one call, by method and status
    "comptoir.rpc.duration",
    # counter, {request}: calls that left a process as INTERNAL, by the failure's type; each one is a defect
    "comptoir.rpc.internal_errors",
    # counter, {ticket}: tickets that a generator did not accept, by reason
    "comptoir.generator.tickets_refused",
    # counter, {event}: terminal events that the emitter will never take; each one is a defect
    "comptoir.generator.events_refused",
    # counter, {ending}: endings of generations whose rest failed; each one is a defect
    "comptoir.generator.endings_failed",
    # counter, {event}: usage events handed over and acknowledged
    "comptoir.usage.recorded",
    # counter, {event}: usage events that were not acknowledged in time; their requests failed cleanly
    "comptoir.usage.unrecorded",
    # counter, {event}: events that the emitter does not take for now, by field: its clock, schema or region
    # is not the producer's; they are kept and tried again. Correct the clock, or roll the newer program out
    "comptoir.usage.disagreed",
    # counter, {frame}: frames that the store took, by kind; with the dead letters, all that was read
    "comptoir.usage.inserted_frames",
    # counter, {row}: events in those frames, by kind
    "comptoir.usage.inserted_rows",
    # histogram, s: time of one insert, by kind; near the insert timeout the store is overloaded
    "comptoir.usage.insert_duration",
    # counter, {frame}: frames that cannot be stored, by reason; look at the producer and at this build
    "comptoir.usage.dead_letters",
    # gauge, {frame}: frames that wait in the log; steady growth means that the store is too slow or down
    "comptoir.usage.lag",
    # gauge, s: age of the oldest of them; beyond usage.late_seconds the pipeline is unready
    "comptoir.usage.lag_age",
    # gauge, {partition}: partitions that wait for a clock, a version or a setting; the log says for which
    "comptoir.usage.paused_partitions",
    # counter, {frame}: frames that the log dropped before they were read; each one is lost
    "comptoir.usage.lost_frames",
    # counter, {event}: the edge's own events that found no room, or were refused; nothing is billed from them
    "comptoir.edge.events_dropped",
    # counter, {try}: tries of requests without a token to leave their replica, by outcome. Many `moved`: a
    # replica hangs, or cannot be reached. `over_budget`: more wanted to than may
    "comptoir.edge.first_token_hedges",
    # gauge, 1: 1 while the files of the edge's certificate changed and cannot be used. The one before is
    # served until it expires: write a certificate and its key
    "comptoir.edge.certificate_outdated",
    # gauge, {event}: events that the emitter acknowledged and Kafka has not confirmed
    "comptoir.spool.events",
    # gauge, By: their bytes; at spool_max_bytes the emitter refuses, and so does every request
    "comptoir.spool.size",
    # gauge, s: age of the oldest of them; more than a minute means that Kafka does not confirm
    "comptoir.spool.oldest_age",
    # counter, {event}: events taken into the spool
    "comptoir.spool.accepted",
    # counter, {event}: events that had been taken before: a producer repeated a call
    "comptoir.spool.duplicates",
    # counter, {event}: acknowledged events of which the disk left no whole copy, by kind; the view
    # `completeness` shows them as missing. Replace the disk
    "comptoir.spool.lost",
    # counter, {event}: events that Kafka confirmed
    "comptoir.spool.forwarded",
    # counter, {event}: events sent again after a failure; the store counts them once
    "comptoir.spool.resent",
    # counter, {request}: calls that the emitter refused, by reason and, if an event is at fault, by field
    "comptoir.spool.refused",
    # counter, {request}: admission decisions of the router, by reason; UNSPECIFIED is admitted
    "comptoir.router.admissions",
    # counter, {event}: refusals that were not recorded, for which nobody waits: the emitter was away for long
    "comptoir.router.refusals_lost",
    # counter, {lease}: transitions of quota leases; reserved minus all that close a lease is in flight
    "comptoir.router.leases",
    # gauge, s: with `while_away: local_share`, for how long the lease store has been away, or has not heard
    # what was lent meanwhile
    "comptoir.router.lease_store_away",
    # gauge, {lease}: leases of a router's share of which the store is to be told when it is back
    "comptoir.router.leases_untold",
    # counter, {lease}: leases that a router lent of its share, while the store was away
    "comptoir.router.leases_lent_here",
    # gauge, {request}: requests that a router holds: no replica of their model is ready, or they are batch
    "comptoir.router.held_requests",
    # counter, {look}: looks for changes of keys that the store did not answer; what is remembered ends then
    "comptoir.router.key_changes_unseen",
    # gauge, {replica}: replicas that a model should have, which is what KEDA is told
    "comptoir.router.desired_replicas",
    # gauge, 1: why a model's batch requests are held back: 0 not, 1 peak window, 2 interactive ones wait
    "comptoir.router.batch_held_back",
    # gauge, s: time to first token of interactive requests in the last minute, p95 of a model's replicas
    "comptoir.router.interactive_ttft",
]
