"""Metrics of the edge."""

from typing import Final

from services.runtime.metrics.metric import Attribute, Counter, Gauge, Histogram, Metric
from services.runtime.metrics.registry import buckets
from services.runtime.metrics.registry.attributes import MODEL, REASON

_EDGE: Final = ("edge",)
# Those that OpenTelemetry knows, and its word for any other: a method is a caller's to choose.
OTHER_METHOD: Final = "_OTHER"
METHODS: Final = (
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "CONNECT",
    "OPTIONS",
    "TRACE",
    "PATCH",
    OTHER_METHOD,
)

REQUEST_DURATION: Final = Histogram(
    "http.server.request.duration",
    "s",
    "Time from a request's arrival to its last byte.",
    (
        Attribute("http.request.method", METHODS),
        Attribute("url.scheme", ("http", "https"), most=1),
        Attribute("http.route", source="a path that the edge serves, or `other`", most=16),
        Attribute("http.response.status_code", source="a status of HTTP", most=32),
        REASON,
        Attribute(
            "error.type",
            source="the reason for which the service failed a request, or the status where it has none; "
            "else it is absent",
            most=REASON.bound,
        ),
    ),
    _EDGE,
    bounds=buckets.REQUEST_SECONDS,
)
FIRST_TEXT: Final = Histogram(
    "comptoir.edge.time_to_first_text",
    "s",
    "Time from a streamed request's arrival to its first text, as its client sees it.",
    (MODEL,),
    _EDGE,
    bounds=buckets.FIRST_TOKEN_SECONDS,
)
OPEN_REQUESTS: Final = Gauge(
    "comptoir.edge.open_requests",
    "{request}",
    "Requests that the edge has not answered to their end.",
    (),
    _EDGE,
)
HEDGES: Final = Counter(
    "comptoir.edge.first_token_hedges",
    "{try}",
    "Tries of requests without a token to leave their replica. Many `moved`: a replica hangs, or cannot be "
    "reached. `over_budget`: more wanted to than may.",
    (Attribute("outcome", ("moved", "kept", "busy", "nobody_else", "over_budget")),),
    _EDGE,
)
EVENTS_DROPPED: Final = Counter(
    "comptoir.edge.events_dropped",
    "{event}",
    "Events of the edge itself that found no room or were refused; nothing is billed from them.",
    (),
    _EDGE,
)
CERTIFICATE_OUTDATED: Final = Gauge(
    "comptoir.edge.certificate_outdated",
    "{state}",
    "1 while the files of the edge's certificate changed and cannot be used. The one before is served until "
    "it expires: write a certificate and its key.",
    (),
    _EDGE,
    condition="with `edge.listen.tls`",
)

METRICS: Final[tuple[Metric, ...]] = (
    REQUEST_DURATION,
    FIRST_TEXT,
    OPEN_REQUESTS,
    HEDGES,
    EVENTS_DROPPED,
    CERTIFICATE_OUTDATED,
)
