"""Reads one HTTP request within bounds: who asks, for what, with which body."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

from deploy.local.clickhouse.domain.credentials import Writer, credentials_of, is_writer
from deploy.local.clickhouse.domain.errors import SOCKET_TIMEOUT, SYNTAX_ERROR, StoreError, too_large
from deploy.local.clickhouse.domain.inserts import SplitInsert, split_insert
from deploy.local.clickhouse.domain.limits import FrontLimits
from deploy.local.clickhouse.domain.request import QueryRequest, parse_request
from deploy.local.clickhouse.domain.statement import check_database
from deploy.local.clickhouse.server.places import Places
from deploy.local.clickhouse.wire.codings import decode
from deploy.local.clickhouse.wire.forms import form_fields, is_form, url_fields
from deploy.local.clickhouse.wire.native_blocks import decode_blocks

Fields = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Sender:
    """Who asks, known before anything of the body is read."""

    headers: Mapping[str, str]
    fields: Fields
    is_writer: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was read: a statement's text, and data if it is an INSERT that carries some."""

    request: QueryRequest
    is_writer: bool
    text: str
    data: tuple[bytes, ...] | None
    data_format: str
    bytes_in: int


def sender_of(request: Request, writer: Writer) -> Sender:
    """Returns who sends `request`, by its headers and URL; raises StoreError."""
    headers = dict(request.headers)
    fields = url_fields(request.scope["query_string"])
    return Sender(headers, fields, is_writer(credentials_of(headers, dict(fields)), writer))


async def read_request(request: Request, sender: Sender, limits: FrontLimits, places: Places) -> Asked:
    """Reads and understands `request`; raises StoreError, ClientDisconnect."""
    content_type = sender.headers.get("content-type", "")
    may_insert = sender.is_writer and not is_form(content_type)
    setting = "max_insert_bytes" if may_insert else "max_query_bytes"
    max_bytes = limits.max_insert_bytes if may_insert else limits.max_query_bytes
    raw = await _read(request, max_bytes, setting, limits.body_seconds)
    # Decoding and parsing take as long as the body is large: not on the loop.
    body = await places.read(decode, raw, sender.headers.get("content-encoding", "").lower(), max_bytes)
    fields = sender.fields
    if is_form(content_type):
        fields, body = [*fields, *await form_fields(content_type, body)], b""
    return await places.read(
        _understand,
        Sender(sender.headers, fields, sender.is_writer),
        body,
        is_get=request.method in ("GET", "HEAD"),
        limits=limits,
        bytes_in=len(raw),
    )


async def _read(request: Request, max_bytes: int, setting: str, seconds: float) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for piece in request.stream():
                body += piece
                if len(body) > max_bytes:
                    raise too_large(max_bytes, setting)
    except TimeoutError:
        raise StoreError.refused(
            SOCKET_TIMEOUT, f"The body did not come within body_seconds = {seconds:g}."
        ) from None
    return bytes(body)


def _understand(sender: Sender, body: bytes, *, is_get: bool, limits: FrontLimits, bytes_in: int) -> Asked:
    asked = parse_request(
        sender.fields,
        sender.headers,
        is_get=is_get,
        is_writer=sender.is_writer,
        session_timeout_seconds=limits.session_timeout_seconds,
        most=limits.most,
    )
    check_database(asked.database, is_writer=sender.is_writer)
    if asked.decompresses_natively:
        max_bytes = limits.max_insert_bytes if sender.is_writer else limits.max_query_bytes
        body = decode_blocks(body, max_bytes)
    return _divide(asked, body, is_writer=sender.is_writer, bytes_in=bytes_in)


def _divide(asked: QueryRequest, body: bytes, *, is_writer: bool, bytes_in: int) -> Asked:
    """Returns statement and data, joined and parted as ClickHouse does with URL and body."""
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
