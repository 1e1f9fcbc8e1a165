"""What happens around every gRPC call: request id, validation, duration, errors that never repeat input."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias, cast

import grpc
import protovalidate
import structlog
from google.protobuf.message import Message

from services.runtime.clock import Clock
from services.runtime.errors import ComptoirError, Reason
from services.runtime.identity import Identity
from services.runtime.logs import get_logger, log_failure
from services.runtime.status import STATUS, trailing_metadata
from services.runtime.telemetry import counter, histogram

REQUEST_ID_KEY = "x-request-id"

_log = get_logger(__name__)
_validator = protovalidate.Validator()

# Only the stubs' types take parameters.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
MaybeHandler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"


class CallBoundary(grpc.aio.ServerInterceptor):
    """Wraps every method of a server; the only place where an exception becomes a gRPC status."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._durations = histogram("comptoir.rpc.duration", unit="s", description="Time spent on one call.")
        self._internal = counter(
            "comptoir.rpc.internal_errors", unit="{request}", description="Unexpected failures."
        )

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[MaybeHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> MaybeHandler:
        """The method's handler with the boundary around it; health checks pass as they are."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method.lstrip("/")
        if handler is None or method.startswith("grpc.health."):
            return handler
        request_id = _request_id(handler_call_details)
        if handler.response_streaming:
            return self._streaming(handler, method, request_id)
        return self._unary(handler, method, request_id)

    def _unary(self, handler: Handler, method: str, request_id: str) -> Handler:
        inner = cast("Callable[[Any, Context], Awaitable[Any]]", handler.unary_unary)

        async def call(request: Message, context: Context) -> Any:
            async with _Call(self, method, request_id, context):
                validate(request)
                return await inner(request, context)

        return grpc.unary_unary_rpc_method_handler(
            call,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _streaming(self, handler: Handler, method: str, request_id: str) -> Handler:
        client_streams = handler.request_streaming
        inner = cast(
            "Callable[[Any, Context], AsyncIterator[Any]]",
            handler.stream_stream if client_streams else handler.unary_stream,
        )

        async def call(request: Any, context: Context) -> AsyncIterator[Any]:
            async with _Call(self, method, request_id, context):
                if client_streams:
                    request = _validated(request)
                else:
                    validate(request)
                async for response in inner(request, context):
                    yield response

        # A handler that writes for itself is cancelled in person; a generator may be left to the collector.
        async def call_writer(request: Any, context: Context) -> None:
            async with _Call(self, method, request_id, context):
                validate(request)
                await cast("Callable[[Any, Context], Awaitable[None]]", inner)(request, context)

        build = (
            grpc.stream_stream_rpc_method_handler if client_streams else grpc.unary_stream_rpc_method_handler
        )
        is_writer = not client_streams and inspect.iscoroutinefunction(inner)
        return build(
            call_writer if is_writer else call,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def observe(self, method: str, status: str, seconds: float) -> None:
        """Counts one call."""
        self._durations.record(seconds, {"method": method, "status": status})

    def count_internal(self, error: BaseException) -> None:
        """Counts one unexpected failure."""
        self._internal.add(1, {"error_type": type(error).__name__})

    def now(self) -> float:
        """Monotonic seconds."""
        return self._clock.monotonic_seconds()


class _Call:
    """One call: binds its request id, times it, and turns what it raises into a status."""

    def __init__(self, boundary: CallBoundary, method: str, request_id: str, context: Context) -> None:
        self._boundary = boundary
        self._method = method
        self._request_id = request_id
        self._context = context
        self._started = boundary.now()

    async def __aenter__(self) -> None:
        structlog.contextvars.bind_contextvars(request_id=self._request_id)

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        status = _status_of(error)
        seconds = self._boundary.now() - self._started
        self._boundary.observe(self._method, status.name, seconds)
        reason = error.reason.name if isinstance(error, ComptoirError) else ""
        _log.debug(
            "call", method=self._method, grpc_status=status.name, reason=reason, duration_seconds=seconds
        )
        if error is None or isinstance(error, (asyncio.CancelledError, GeneratorExit, grpc.aio.AbortError)):
            return False
        if isinstance(error, ComptoirError):
            await self._context.abort(status, error.reason.name, trailing_metadata(error))
        if not isinstance(error, Exception):
            return False
        self._boundary.count_internal(error)
        log_failure(_log, "call_failed", error, method=self._method)
        failure = ComptoirError(Reason.INTERNAL)
        await self._context.abort(
            grpc.StatusCode.INTERNAL, f"internal error: {type(error).__name__}", trailing_metadata(failure)
        )
        return False


def validate(request: Message) -> None:
    """Holds `request` against the rules in its schema; raises REQUEST_INVALID with the field's name."""
    violations = _validator.collect_violations(request, fail_fast=True)
    if violations:
        elements = violations[0].proto.field.elements
        raise ComptoirError(
            Reason.REQUEST_INVALID, field=".".join(element.field_name for element in elements)
        )


async def _validated(requests: AsyncIterator[Message]) -> AsyncIterator[Message]:
    async for request in requests:
        validate(request)
        yield request


def _request_id(details: grpc.HandlerCallDetails) -> str:
    for key, value in details.invocation_metadata or ():
        if key == REQUEST_ID_KEY and isinstance(value, str):
            given = Identity.from_hex(value)
            if given is not None:
                return given.hex
    return Identity.random().hex


def _status_of(error: BaseException | None) -> grpc.StatusCode:
    if error is None:
        return grpc.StatusCode.OK
    if isinstance(error, ComptoirError):
        return STATUS[error.reason]
    if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
        return grpc.StatusCode.CANCELLED
    return grpc.StatusCode.INTERNAL
