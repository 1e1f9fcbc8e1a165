"""What the URL, headers and form fields of a request ask for."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from services.local.clickhouse.domain.errors import ACCESS_DENIED, INVALID_SESSION_TIMEOUT, StoreError
from services.local.clickhouse.domain.settings_names import is_allowed_setting

# The HTTP interface's own parameters: never settings of the engine, and those without a use here are ignored.
_OWN = frozenset(
    {
        "add_http_cors_header",
        "buffer_size",
        "client_protocol_version",
        "compress",
        "database",
        "decompress",
        "default_format",
        "enable_http_compression",
        "http_headers_progress_interval_ms",
        "http_zlib_compression_level",
        "log_queries",
        "password",
        "query",
        "query_id",
        "quota_key",
        "readonly",
        "send_progress_in_http_headers",
        "session_check",
        "session_id",
        "session_timeout",
        "stacktrace",
        "user",
        "wait_end_of_query",
    }
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*\Z")
_QUERY_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}\Z")


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """The session that a request names."""

    id: str
    timeout_seconds: float
    must_exist: bool


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """One request, apart from its body. `settings` and `parameters` are as given, never spliced into SQL."""

    query: str
    database: str
    default_format: str
    query_id: str
    session: SessionRequest | None
    is_readonly: bool
    waits_for_end: bool
    compresses_natively: bool
    decompresses_natively: bool
    allows_http_compression: bool
    settings: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)


def parse_request(
    fields: Iterable[tuple[str, str]],
    headers: Mapping[str, str],
    *,
    is_get: bool,
    is_writer: bool,
    session_timeout_seconds: float,
) -> QueryRequest:
    """The request that URL and form `fields` and lower-case `headers` describe; raises StoreError."""
    values = dict(fields)
    settings = {name: value for name, value in values.items() if not _is_own(name)}
    for name in settings:
        if not (_NAME.match(name) and is_allowed_setting(name, is_writer=is_writer)):
            raise StoreError.refused(
                ACCESS_DENIED, "A setting in the URL is unknown or cannot be given here."
            )
    query_id = values.get("query_id", "")
    return QueryRequest(
        query=values.get("query", ""),
        database=values.get("database") or headers.get("x-clickhouse-database", ""),
        default_format=values.get("default_format") or headers.get("x-clickhouse-format", ""),
        query_id=query_id if _QUERY_ID.match(query_id) else "",
        session=_session(values, session_timeout_seconds),
        is_readonly=is_get or not is_writer or values.get("readonly") in ("1", "2"),
        waits_for_end=_is_on(values.get("wait_end_of_query", "")),
        compresses_natively=_is_on(values.get("compress", "")),
        decompresses_natively=_is_on(values.get("decompress", "")),
        allows_http_compression=_is_on(values.get("enable_http_compression", "1")),
        settings=settings,
        parameters={name[6:]: value for name, value in values.items() if name.startswith("param_")},
    )


def _is_own(name: str) -> bool:
    return name in _OWN or name.startswith("param_")


def _is_on(value: str) -> bool:
    return value.lower() in ("1", "true")


def _session(values: Mapping[str, str], default_seconds: float) -> SessionRequest | None:
    name = values.get("session_id", "")
    if not name:
        return None
    text = values.get("session_timeout", "")
    if text and not (text.isascii() and text.isdigit() and int(text[:9]) <= 3600):  # noqa: PLR2004 - ClickHouse's default maximum
        raise StoreError.refused(INVALID_SESSION_TIMEOUT, "Invalid session timeout.")
    return SessionRequest(
        id=name,
        timeout_seconds=float(text) if text else default_seconds,
        must_exist=_is_on(values.get("session_check", "")),
    )
