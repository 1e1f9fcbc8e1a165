"""Whether everything that happened is counted: spool, log, store, completeness, retention, certificates."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.dashboards.board import Panels, board
from deploy.dashboards.panels import Series, graph, number, stored_table
from deploy.dashboards.promql import largest, quantile, rate, recorded, smallest, total
from deploy.dashboards.sql import select
from services.runtime.metrics.registry import emitter, router, shared, usage

_REGION = "{{region}}"
_INSTANCE = "{{region}} {{instance}}"
_KIND = "{{region}} {{kind}}"
_EACH = ("region", "instance")


def build() -> Dashboard:
    """Returns the dashboard."""
    rows = {
        "Now": _now(),
        "Spool and log": _on_the_way(),
        "Store": _store(),
        "Promises": _promises(),
        "Counted": _counted(),
    }
    return board(
        "comptoir-pipeline",
        "Comptoir: events",
        "From a request's end to its row, and what is left of it.",
        rows,
    )


def _now() -> Panels:
    return (
        number(
            "Oldest event in a spool",
            emitter.OLDEST_AGE.meaning,
            "s",
            Series(largest(emitter.OLDEST_AGE, "region"), _REGION),
            bad_from=300,
        ),
        number(
            "Oldest frame in the log",
            usage.LAG_AGE.meaning,
            "s",
            Series(largest(usage.LAG_AGE, "region"), _REGION),
            bad_from=300,
        ),
        number(
            "Missing events",
            usage.MISSING_EVENTS.meaning,
            "short",
            Series(largest(usage.MISSING_EVENTS, "region", "kind"), _KIND),
            bad_from=1,
        ),
        number(
            "Past their retention",
            usage.RETENTION_OVERDUE.meaning,
            "s",
            Series(largest(usage.RETENTION_OVERDUE, "region", "kind"), _KIND),
            bad_from=6 * 3600,
        ),
    )


def _on_the_way() -> Panels:
    return (
        graph(
            "Events in spools",
            emitter.EVENTS.meaning,
            "short",
            Series(total(emitter.EVENTS, *_EACH), _INSTANCE),
        ),
        graph(
            "Room in spools",
            "What is left until the emitter refuses: of its bound, or of the disk.",
            "percentunit",
            Series(recorded("instance:comptoir_spool_room:ratio"), _INSTANCE),
        ),
        graph(
            "Events taken and confirmed",
            "What comes into spools, and what Kafka has confirmed.",
            "short",
            Series(rate(emitter.ACCEPTED, "region"), f"{_REGION} taken"),
            Series(rate(emitter.FORWARDED, "region"), f"{_REGION} confirmed"),
            Series(rate(emitter.RESENT, "region"), f"{_REGION} sent again"),
        ),
        graph(
            "Calls that emitters refuse",
            emitter.REFUSED.meaning,
            "short",
            Series(rate(emitter.REFUSED, "region", "reason"), "{{region}} {{reason}}"),
        ),
        graph(
            "Events given up on, and of another clock or schema",
            shared.USAGE_UNRECORDED.meaning,
            "short",
            Series(rate(shared.USAGE_UNRECORDED, "region", "job"), "{{region}} {{job}} given up"),
            Series(rate(shared.USAGE_DISAGREED, "region", "job", "field"), "{{region}} {{job}} {{field}}"),
        ),
        graph(
            "Frames that wait in the log",
            usage.LAG.meaning,
            "short",
            Series(largest(usage.LAG, "region"), _REGION),
        ),
    )


def _store() -> Panels:
    return (
        graph(
            "Rows per second",
            usage.INSERTED_ROWS.meaning,
            "short",
            Series(rate(usage.INSERTED_ROWS, "region", "kind"), _KIND),
        ),
        graph(
            "Time of an insert, p95",
            usage.INSERT_DURATION.meaning,
            "s",
            Series(quantile(0.95, usage.INSERT_DURATION, "region", "kind"), _KIND),
        ),
        graph(
            "Frames that cannot be stored, and that are lost",
            usage.DEAD_LETTERS.meaning,
            "short",
            Series(rate(usage.DEAD_LETTERS, "region", "reason"), "{{region}} {{reason}}"),
            Series(rate(usage.LOST_FRAMES, "region"), f"{_REGION} lost in the log"),
        ),
        graph(
            "Partitions that wait for a person",
            usage.PAUSED_PARTITIONS.meaning,
            "short",
            Series(total(usage.PAUSED_PARTITIONS, "region"), _REGION),
        ),
    )


def _promises() -> Panels:
    return (
        graph(
            "Missing and double events",
            usage.MISSING_EVENTS.meaning,
            "short",
            Series(largest(usage.MISSING_EVENTS, "region", "kind"), f"{_KIND} missing"),
            Series(largest(usage.DOUBLE_EVENTS, "region", "kind"), f"{_KIND} double"),
        ),
        graph(
            "Age of the last look at the store",
            usage.STORE_CHECK_AGE.meaning,
            "s",
            Series(smallest(usage.STORE_CHECK_AGE, "region"), _REGION),
        ),
        graph(
            "Quota store away",
            router.LEASE_STORE_AWAY.meaning,
            "s",
            Series(largest(router.LEASE_STORE_AWAY, *_EACH), _INSTANCE),
        ),
        graph(
            "Certificates, until they expire",
            shared.CERTIFICATE_EXPIRES_IN.meaning,
            "s",
            Series(
                smallest(shared.CERTIFICATE_EXPIRES_IN, *_EACH, "job", "setting"),
                "{{region}} {{job}} {{setting}}",
            ),
        ),
        graph(
            "Transfer records, until they end",
            shared.TRANSFER_EXPIRES_IN.meaning,
            "s",
            Series(smallest(shared.TRANSFER_EXPIRES_IN, "region", "record"), "{{region}} {{record}}"),
        ),
        graph(
            "Processes that are ready",
            shared.READY.meaning,
            "short",
            Series(total(shared.READY, "region", "job"), "{{region}} {{job}}"),
        ),
    )


def _counted() -> Panels:
    return (
        stored_table(
            "Completeness, of the store",
            "From the view completeness: missing and double rows should be 0 but for what is on its way.",
            select(
                "completeness",
                # Grafana has no whole numbers of 64 bits.
                *("kind", "toString(producer_id) AS producer", "stored_rows", "last_sequence"),
                *("missing_rows", "double_rows", "dead_frames", "dead_rows"),
                *("arrayStringConcat(dead_reasons, ', ') AS reasons", "newest_event_at"),
                order="missing_rows + double_rows DESC, kind",
            ),
        ),
        stored_table(
            "How far the store is behind, by kind",
            "From the view pipeline_lag.",
            select(
                "pipeline_lag",
                *("kind", "measured_at", "waiting_frames", "stored_until", "behind_seconds", "paused_for"),
                order="behind_seconds DESC",
            ),
            width=12,
        ),
        stored_table(
            "Admitted and ended, by hour",
            "From reconciliation_by_hour: what is open is in flight, was released unused, or is lost.",
            select(
                "reconciliation_by_hour",
                *("hour", "region", "admitted_requests", "ended_requests", "open_requests"),
                "unadmitted_requests",
                hour="hour",
                order="hour DESC",
            ),
            width=12,
        ),
    )
