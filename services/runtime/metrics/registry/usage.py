"""Metrics of the usage pipeline, and of the store as it sees it."""

from typing import Final

from services.runtime.metrics.metric import Attribute, Counter, Gauge, Histogram, Metric
from services.runtime.metrics.registry import buckets
from services.runtime.metrics.registry.attributes import KIND

_USAGE: Final = ("usage",)
_OF_THE_STORE: Final = "The same from every pipeline of one store."

INSERTED_FRAMES: Final = Counter(
    "comptoir.usage.inserted_frames",
    "{frame}",
    "Frames that the store took; with the dead letters, all that was read.",
    (KIND,),
    _USAGE,
)
INSERTED_ROWS: Final = Counter(
    "comptoir.usage.inserted_rows", "{row}", "Events in the frames that the store took.", (KIND,), _USAGE
)
INSERT_DURATION: Final = Histogram(
    "comptoir.usage.insert_duration",
    "s",
    "Time of one insert; near `usage.clickhouse.insert_timeout_seconds` the store is overloaded.",
    (KIND,),
    _USAGE,
    bounds=buckets.SECONDS,
)
DEAD_LETTERS: Final = Counter(
    "comptoir.usage.dead_letters",
    "{frame}",
    "Frames that cannot be stored. Look at the producer and at this build.",
    (
        Attribute(
            "reason",
            (
                *("header_truncated", "magic_wrong", "kind_wrong", "length_wrong", "checksum_wrong"),
                *("count_wrong", "sequence_wrong", "body_unreadable", "body_not_canonical"),
                *("producer_wrong", "expired"),
            ),
        ),
    ),
    _USAGE,
)
LOST_FRAMES: Final = Counter(
    "comptoir.usage.lost_frames",
    "{frame}",
    "Frames that the log dropped before they were read. Each one is lost.",
    (),
    _USAGE,
)
LAG: Final = Gauge(
    "comptoir.usage.lag",
    "{frame}",
    "Frames that wait in the log, of the whole group; if it grows, the store is too slow or down.",
    (),
    _USAGE,
)
LAG_AGE: Final = Gauge(
    "comptoir.usage.lag_age",
    "s",
    "Age of the oldest of these frames; beyond `usage.late_seconds` the pipeline is unready.",
    (),
    _USAGE,
)
PAUSED_PARTITIONS: Final = Gauge(
    "comptoir.usage.paused_partitions",
    "{partition}",
    "Partitions that wait for a clock, a version or a setting; the log says for which.",
    (),
    _USAGE,
)
MISSING_EVENTS: Final = Gauge(
    "comptoir.usage.missing_events",
    "{event}",
    f"The completeness gap: events that emitters numbered and the store has not. {_OF_THE_STORE} For as long "
    "as frames wait it may be above 0; the view `completeness` says whose they are.",
    (KIND,),
    _USAGE,
)
DOUBLE_EVENTS: Final = Gauge(
    "comptoir.usage.double_events",
    "{event}",
    f"Events that the store has more than once. {_OF_THE_STORE} It is a defect above 0.",
    (KIND,),
    _USAGE,
)
UNENDED_REQUESTS: Final = Gauge(
    "comptoir.usage.unended_requests",
    "{request}",
    "Requests that were admitted an hour to a day ago and have no terminal event. Their generator died with "
    f"them, or their caller went before it began. {_OF_THE_STORE}",
    (),
    _USAGE,
)
RETENTION_OVERDUE: Final = Gauge(
    "comptoir.usage.retention_overdue",
    "s",
    "For how long the oldest events of a kind are past `usage.retention_days` and still on the disk; 0 where "
    f"none are. The store drops a day some hours after its end. {_OF_THE_STORE}",
    (KIND,),
    _USAGE,
)
STORE_CHECK_AGE: Final = Gauge(
    "comptoir.usage.store_check_age",
    "s",
    "Age of the last look at the store from which the four metrics above are; they stand still if it fails.",
    (),
    _USAGE,
)

METRICS: Final[tuple[Metric, ...]] = (
    INSERTED_FRAMES,
    INSERTED_ROWS,
    INSERT_DURATION,
    DEAD_LETTERS,
    LOST_FRAMES,
    LAG,
    LAG_AGE,
    PAUSED_PARTITIONS,
    MISSING_EVENTS,
    DOUBLE_EVENTS,
    UNENDED_REQUESTS,
    RETENTION_OVERDUE,
    STORE_CHECK_AGE,
)
