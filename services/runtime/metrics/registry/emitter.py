"""Metrics of the emitter and its spool."""

from typing import Final

from services.runtime.metrics.metric import Attribute, Counter, Gauge, Metric
from services.runtime.metrics.registry.attributes import KIND, REASON

_EMITTER: Final = ("emitter",)

EVENTS: Final = Gauge(
    "comptoir.spool.events",
    "{event}",
    "Events that the emitter acknowledged and Kafka has not confirmed.",
    (),
    _EMITTER,
)
SIZE: Final = Gauge(
    "comptoir.spool.size",
    "By",
    "Bytes of these events; at `emitter.spool_max_bytes` the emitter refuses, and so does every request.",
    (),
    _EMITTER,
)
CAPACITY: Final = Gauge(
    "comptoir.spool.capacity", "By", "The most that these may be: `emitter.spool_max_bytes`.", (), _EMITTER
)
DISK_FREE: Final = Gauge(
    "comptoir.spool.disk_free",
    "By",
    "Bytes that are free on the disk of the spool. Where it is full the emitter refuses, and so does every "
    "request.",
    (),
    _EMITTER,
)
OLDEST_AGE: Final = Gauge(
    "comptoir.spool.oldest_age",
    "s",
    "Age of the oldest of these events; more than a minute means that Kafka does not confirm.",
    (),
    _EMITTER,
)
ACCEPTED: Final = Counter("comptoir.spool.accepted", "{event}", "Events taken into the spool.", (), _EMITTER)
DUPLICATES: Final = Counter(
    "comptoir.spool.duplicates",
    "{event}",
    "Events that had been taken before: a producer repeated a call.",
    (),
    _EMITTER,
)
LOST: Final = Counter(
    "comptoir.spool.lost",
    "{event}",
    "Acknowledged events of which the disk left no whole copy; the view `completeness` misses them too. "
    "Replace the disk.",
    (KIND,),
    _EMITTER,
)
FORWARDED: Final = Counter(
    "comptoir.spool.forwarded", "{event}", "Events that Kafka confirmed.", (), _EMITTER
)
RESENT: Final = Counter(
    "comptoir.spool.resent",
    "{event}",
    "Events sent again after a failure; the store counts them once.",
    (),
    _EMITTER,
)
REFUSED: Final = Counter(
    "comptoir.spool.refused",
    "{request}",
    "Calls that the emitter refused, with the field that is at fault if an event is.",
    (REASON, Attribute("field", source="name of a field of the schemas, or empty", most=64)),
    _EMITTER,
)

METRICS: Final[tuple[Metric, ...]] = (
    EVENTS,
    SIZE,
    CAPACITY,
    DISK_FREE,
    OLDEST_AGE,
    ACCEPTED,
    DUPLICATES,
    LOST,
    FORWARDED,
    RESENT,
    REFUSED,
)
