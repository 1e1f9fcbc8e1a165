"""Metrics that several processes have."""

from typing import Final

from services.runtime.metrics.metric import Attribute, Counter, Gauge, Histogram, Metric
from services.runtime.metrics.registry import buckets
from services.runtime.metrics.registry.attributes import ERROR_TYPE, UNREADY

EVERY: Final = ("edge", "router", "generator", "emitter", "usage", "console")
_GRPC: Final = ("router", "generator", "emitter", "usage")
_PRODUCERS: Final = ("edge", "router", "generator")

BUILD_INFO: Final = Gauge(
    "comptoir.build.info",
    "{process}",
    "Always 1; its attributes say which version of which process runs where.",
    (
        Attribute("version", source="the version of the distribution", most=1),
        Attribute("process", EVERY, most=1),
        # Not `region`, which is the target's: Prometheus would write ours as exported_region.
        Attribute("comptoir.region", source="`name` of a region in `catalog.regions`", most=1),
    ),
    EVERY,
)
READY: Final = Gauge(
    "comptoir.process.ready",
    "{state}",
    "1 while the process is ready, else 0. A router is while a replica takes requests, an edge while a "
    "router that it reaches is.",
    (),
    EVERY,
)
UNREADY_REASON: Final = Gauge(
    "comptoir.process.unready",
    "{state}",
    "1 for the reason for which the process is not ready, and no series while it is.",
    (UNREADY,),
    EVERY,
)
DRAINING: Final = Gauge(
    "comptoir.process.draining",
    "{state}",
    "1 while the process drains: it takes nothing new and ends what it has.",
    (),
    EVERY,
)
CERTIFICATE_EXPIRES_IN: Final = Gauge(
    "comptoir.tls.certificate_expires_in",
    "s",
    "Time until the first certificate of a file expires, or of a `ca_file` the last of its authorities, "
    "negative afterwards; 0 where the file holds none that can be read. Renew it: the process reads it again "
    "by itself.",
    (Attribute("setting", source="the key of the settings that names the file", most=64),),
    EVERY,
    condition="where a setting names a certificate's file",
)
TRANSFER_EXPIRES_IN: Final = Gauge(
    "comptoir.transfer.record_expires_in",
    "s",
    "Time until a transfer record that is in force ends; no request is served by it afterwards. Have another "
    "one approved, or end what needs it.",
    (Attribute("record", source="number of a record in `transfers.folder`", most=2048),),
    ("router", "generator"),
    condition="where `transfers.folder` holds a record that is in force",
)
RPC_DURATION: Final = Histogram(
    "comptoir.rpc.duration",
    "s",
    "Time that the process spent on one call.",
    (
        Attribute("method", source="full name of a method of the schemas", most=64),
        Attribute(
            "status",
            (
                *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND"),
                *("ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION"),
                *("ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"),
                "UNAUTHENTICATED",
            ),
        ),
    ),
    _GRPC,
    bounds=buckets.SECONDS,
)
RPC_INTERNAL_ERRORS: Final = Counter(
    "comptoir.rpc.internal_errors",
    "{request}",
    "Calls that left the process as INTERNAL. Each one is a defect: the log has type and place.",
    (ERROR_TYPE,),
    _GRPC,
)
RPC_CALLERS_REFUSED: Final = Counter(
    "comptoir.rpc.callers_refused",
    "{request}",
    "Calls whose certificate may not make them. Of another region, or of none where one is asked for: an "
    "address, or a certificate, is another region's.",
    (Attribute("reason", ("no_region", "other_region", "not_listed"), most=3),),
    _GRPC,
)
USAGE_RECORDED: Final = Counter(
    "comptoir.usage.recorded", "{event}", "Usage events that the emitter acknowledged.", (), _PRODUCERS
)
USAGE_UNRECORDED: Final = Counter(
    "comptoir.usage.unrecorded",
    "{event}",
    "Usage events that were not acknowledged in time; their requests failed cleanly.",
    (),
    _PRODUCERS,
)
USAGE_DISAGREED: Final = Counter(
    "comptoir.usage.disagreed",
    "{event}",
    "Usage events that the emitter does not take for now: its clock, schema or region is not the producer's. "
    "They are kept and tried again. Correct the clock, or roll the newer program out.",
    (Attribute("field", source="name of a field of the schemas", most=64),),
    _PRODUCERS,
)

METRICS: Final[tuple[Metric, ...]] = (
    BUILD_INFO,
    READY,
    UNREADY_REASON,
    DRAINING,
    CERTIFICATE_EXPIRES_IN,
    TRANSFER_EXPIRES_IN,
    RPC_DURATION,
    RPC_INTERNAL_ERRORS,
    RPC_CALLERS_REFUSED,
    USAGE_RECORDED,
    USAGE_UNRECORDED,
    USAGE_DISAGREED,
)
