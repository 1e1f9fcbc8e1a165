"""What the URL, headers and form fields of a request ask for."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from deploy.local.clickhouse.domain.errors import (
    ACCESS_DENIED,
    BAD_ARGUMENTS,
    INVALID_SESSION_TIMEOUT,
    StoreError,
)
from deploy.local.clickhouse.domain.settings_names import is_allowed_setting, is_ignored_setting

# The HTTP interface's own parameters: never settings of the engine, and those without a use here are ignored.
_OWN: Final = frozenset(
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
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*\Z")
_SETTING: Final = re.compile(r"[a-z][a-z0-9_]{0,79}\Z")
_QUERY_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,128}\Z")


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
    # The framing of Native results that the client expects; 0 is that of files.
    protocol_version: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)


def parse_request(
    fields: Iterable[tuple[str, str]],
    headers: Mapping[str, str],
    *,
    is_get: bool,
    is_writer: bool,
    session_timeout_seconds: float,
    most: Mapping[str, int] | None = None,
) -> QueryRequest:
    """Returns the request that URL and form `fields` and lower-case `headers` describe; raises StoreError.

    `most` has, by a limit's name, the largest value that the engine takes. A client that asks for more, or
    for no limit, gets that one: drivers derive such limits from their callers' deadlines.
    """
    values = dict(fields)
    settings = {
        name: value for name, value in values.items() if not (_is_own(name) or is_ignored_setting(name))
    }
    for name in settings:
        if not (_NAME.match(name) and is_allowed_setting(name, is_writer=is_writer)):
            raise StoreError.refused(
                ACCESS_DENIED, f"The setting {_shown(name)} is unknown or cannot be given here; leave it out."
            )
    settings = {
        name: value for name, value in settings.items() if not _is_beyond(value, (most or {}).get(name))
    }
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
        protocol_version=_protocol_version(values.get("client_protocol_version", "")),
        settings=settings,
        parameters={name[6:]: value for name, value in values.items() if name.startswith("param_")},
    )


def _shown(name: str) -> str:
    """Returns the name, where it can be one of a setting; it is the client's own text otherwise."""
    return name if _SETTING.match(name) else "in the URL"


def _is_beyond(value: str, most: int | None) -> bool:
    if most is None or not (value.isascii() and value.isdigit()):
        return False
    # Compared by length first: a number may have as many digits as a URL has room for.
    digits = value.lstrip("0")
    return not digits or len(digits) > len(str(most)) or int(digits) > most


def _protocol_version(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 9):  # noqa: PLR2004 - far above any version
        raise StoreError.refused(BAD_ARGUMENTS, "client_protocol_version must be a number.")
    return int(text)


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
