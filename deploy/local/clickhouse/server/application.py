"""The ClickHouse HTTP interface: health, and queries whose results come whole or in pieces."""

import uuid
from contextlib import AsyncExitStack
from typing import Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from deploy.local.clickhouse.domain.credentials import Writer
from deploy.local.clickhouse.domain.errors import ACCESS_DENIED, UNKNOWN_EXCEPTION, StoreError
from deploy.local.clickhouse.domain.hosts import is_loopback_host
from deploy.local.clickhouse.domain.limits import FrontLimits
from deploy.local.clickhouse.domain.ports import Answer, Engine
from deploy.local.clickhouse.server.answers import (
    answer_headers,
    error_response,
    summary,
)
from deploy.local.clickhouse.server.intake import Asked, Sender, read_request, sender_of
from deploy.local.clickhouse.server.runner import Lease, QueryRunner
from deploy.local.clickhouse.server.streaming import Begun, BrokenResultError, ResultStream, WholeResult
from deploy.local.clickhouse.wire.codings import NATIVE, choose_coding
from services.kernel.clock import Clock
from services.runtime import logs

# One block after another in these formats is one longer result; every other has a head or a foot.
_JOINABLE: Final = frozenset(
    {
        "CSV",
        "JSONCompactEachRow",
        "JSONCompactStringsEachRow",
        "JSONEachRow",
        "JSONLines",
        "JSONStringsEachRow",
        "NDJSON",
        "Native",
        "RowBinary",
        "TSV",
        "TSVRaw",
        "TabSeparated",
        "TabSeparatedRaw",
    }
)
_DEFAULT_FORMAT: Final = "TabSeparated"
_log = logs.get_logger(__name__)


class Front:
    """Answers every request; the engine is behind `runner`."""

    def __init__(
        self, engine: Engine, runner: QueryRunner, writer: Writer, limits: FrontLimits, clock: Clock
    ) -> None:
        self._engine = engine
        self._runner = runner
        self._writer = writer
        self._limits = limits
        self._clock = clock

    def application(self) -> Starlette:
        """Returns the routes of the interface."""
        return Starlette(
            routes=[
                Route("/ping", _ok, methods=["GET", "HEAD"]),
                Route("/replicas_status", _ok, methods=["GET", "HEAD"]),
                Route("/", self._root, methods=["GET", "HEAD", "POST"]),
            ]
        )

    async def _root(self, request: Request) -> Response:
        if request.method != "POST" and not request.scope["query_string"]:
            return await _ok(request)
        started_seconds = self._clock.monotonic_seconds()
        try:
            if not is_loopback_host(request.headers.get("host", "")):
                raise StoreError.refused(ACCESS_DENIED, "The Host header must name this machine's loopback.")
            sender = sender_of(request, self._writer)
        except StoreError as error:
            return self._failed(error, None, started_seconds)
        async with AsyncExitStack() as stack:
            return await self._admitted(request, sender, stack, started_seconds)

    async def _admitted(
        self, request: Request, sender: Sender, stack: AsyncExitStack, started_seconds: float
    ) -> Response:
        asked = None
        try:
            places = self._runner.places(is_writer=sender.is_writer)
            stack.enter_context(places.admission())
            asked = await read_request(request, sender, self._limits, places)
            return await self._query(request, asked, stack, started_seconds)
        except StoreError as error:
            return self._failed(error, asked, started_seconds)
        except ClientDisconnect:
            raise BrokenResultError from None
        except Exception as error:  # noqa: BLE001 - the boundary: a defect is logged by type and place only
            logs.log_failure(_log, "query_crashed", error, user_kind=_user_kind(sender))
            return self._failed(
                StoreError.refused(UNKNOWN_EXCEPTION, "Internal error."), asked, started_seconds
            )

    async def _query(
        self, request: Request, asked: Asked, admitted: AsyncExitStack, started_seconds: float
    ) -> Response:
        async with AsyncExitStack() as stack:
            lease = await stack.enter_async_context(self._runner.lease(asked))
            wanted = lease.statement.format or asked.request.default_format or _DEFAULT_FORMAT
            headers = answer_headers(
                _query_id(asked), self._engine.timezone, wanted if _has_rows(lease) else ""
            )
            coding = _coding(asked, request.headers.get("accept-encoding", ""))
            if _can_stream(asked, lease, wanted):
                stream, first = await lease.stream(wanted)
                result = ResultStream(
                    _joined(admitted, stack),
                    self._limits,
                    Begun(lease, stream, first),
                    coding=coding,
                    version=self._engine.version,
                )
                return result.describe(_encoded(headers, coding))
            answer, body = await lease.answer(wanted, coding)
            self._finished(asked, answer, started_seconds)
            headers["X-ClickHouse-Summary"] = summary(answer)
            if not body:
                return Response(b"", headers=headers)
            whole = WholeResult(_joined(admitted, stack), self._limits, body)
            return whole.describe(_encoded(headers, coding))

    def _failed(self, error: StoreError, asked: Asked | None, started_seconds: float) -> Response:
        _log.info(
            "query_failed",
            clickhouse_code=error.code,
            duration_seconds=round(self._clock.monotonic_seconds() - started_seconds, 6),
            user_kind="unknown" if asked is None else _user_kind(asked),
        )
        query_id = "" if asked is None else _query_id(asked)
        return error_response(
            error, self._engine.version, answer_headers(query_id or str(uuid.uuid4()), self._engine.timezone)
        )

    def _finished(self, asked: Asked, answer: Answer, started_seconds: float) -> None:
        _log.debug(
            "query_finished",
            duration_seconds=round(self._clock.monotonic_seconds() - started_seconds, 6),
            rows=answer.written_rows or answer.result_rows,
            bytes_in=asked.bytes_in,
            bytes_out=len(answer.body),
            user_kind=_user_kind(asked),
        )


def _joined(outer: AsyncExitStack, inner: AsyncExitStack) -> AsyncExitStack:
    """Returns everything that both own, to be given back in the opposite order of its taking."""
    joined, given_back_first = outer.pop_all(), inner.pop_all()
    joined.push_async_exit(given_back_first)
    return joined


async def _ok(_request: Request) -> Response:
    return PlainTextResponse("Ok.\n", headers={"Content-Type": "text/html; charset=UTF-8"})


def _has_rows(lease: Lease) -> bool:
    return lease.statement.has_result


def _can_stream(asked: Asked, lease: Lease, output_format: str) -> bool:
    is_select = lease.statement.kind.startswith("Select")
    return is_select and not asked.request.waits_for_end and output_format in _JOINABLE


def _encoded(headers: dict[str, str], coding: str) -> dict[str, str]:
    if coding in ("", NATIVE):
        return headers
    return {**headers, "Content-Encoding": coding, "Vary": "Accept-Encoding"}


def _coding(asked: Asked, accept_encoding: str) -> str:
    if asked.request.compresses_natively:
        return NATIVE
    return choose_coding(accept_encoding) if asked.request.allows_http_compression else ""


def _query_id(asked: Asked) -> str:
    return asked.request.query_id or str(uuid.uuid4())


def _user_kind(asked: Asked | Sender) -> str:
    return "writer" if asked.is_writer else "reader"
