"""Reads one HTTP request within bounds: who asks, for what, with which body."""

from dataclasses import dataclass

from starlette.requests import Request

from services.local.clickhouse.domain.credentials import Writer, credentials_of, is_writer
from services.local.clickhouse.domain.errors import SYNTAX_ERROR, StoreError, too_large
from services.local.clickhouse.domain.inserts import SplitInsert, split_insert
from services.local.clickhouse.domain.request import QueryRequest, parse_request
from services.local.clickhouse.domain.statement import check_database
from services.local.clickhouse.wire.codings import decode
from services.local.clickhouse.wire.forms import form_fields, is_form, url_fields
from services.local.clickhouse.wire.native_blocks import decode_blocks


@dataclass(frozen=True, slots=True)
class Limits:
    """What a body may weigh, in bytes, and how long a session idles."""

    max_query_bytes: int
    max_insert_bytes: int
    session_timeout_seconds: float


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was read: a statement's text, and data if it is an INSERT that carries some."""

    request: QueryRequest
    is_writer: bool
    text: str
    data: tuple[bytes, ...] | None
    data_format: str
    bytes_in: int


async def read_request(request: Request, writer: Writer, limits: Limits) -> Asked:
    """Reads and understands `request`; raises StoreError, ClientDisconnect."""
    headers = dict(request.headers)
    fields = url_fields(request.scope["query_string"])
    writes = is_writer(credentials_of(headers, dict(fields)), writer)
    max_bytes = limits.max_insert_bytes if writes else limits.max_query_bytes
    raw = await _read(request, max_bytes)
    body = decode(raw, headers.get("content-encoding", "").lower(), max_bytes)
    content_type = headers.get("content-type", "")
    if is_form(content_type):
        fields, body = [*fields, *form_fields(content_type, body)], b""
    asked = parse_request(
        fields,
        headers,
        is_get=request.method in ("GET", "HEAD"),
        is_writer=writes,
        session_timeout_seconds=limits.session_timeout_seconds,
    )
    check_database(asked.database, is_writer=writes)
    if asked.decompresses_natively:
        body = decode_blocks(body, max_bytes)
    return _divide(asked, body, is_writer=writes, bytes_in=len(raw))


async def _read(request: Request, max_bytes: int) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > max_bytes:
            raise too_large(max_bytes)
    return bytes(body)


def _divide(asked: QueryRequest, body: bytes, *, is_writer: bool, bytes_in: int) -> Asked:
    """Statement and data, joined and parted as ClickHouse does with URL and body."""
    head = asked.query.encode()
    split = split_insert(head) if head else split_insert(body)
    if split is None:
        return Asked(asked, is_writer, _text(head, body), None, "", bytes_in)
    return Asked(asked, is_writer, split.statement, _data(split, head, body), split.format, bytes_in)


def _data(split: SplitInsert, head: bytes, body: bytes) -> tuple[bytes, ...]:
    if not head:
        return (split.data,)
    return (split.data, b"\n", body) if split.data else (body,)


def _text(head: bytes, body: bytes) -> str:
    joined = head + b"\n" + body if head and body else head or body
    try:
        return joined.decode()
    except UnicodeDecodeError:
        raise StoreError.refused(SYNTAX_ERROR, "The query is not UTF-8.") from None
