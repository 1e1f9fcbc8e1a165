"""The bounds that the edge runs with."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EdgeLimits:
    """Sizes in bytes and waits in seconds; `settings.py` has the defaults."""

    max_body_bytes: int
    max_header_bytes: int
    max_connections: int
    header_seconds: float
    body_seconds: float
    idle_connection_seconds: int
    first_text_seconds: float
    request_seconds: float
    ping_seconds: float
    write_seconds: float
    drain_notice_seconds: float
    drain_seconds: int
    release_seconds: float
