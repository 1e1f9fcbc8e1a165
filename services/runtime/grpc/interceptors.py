"""What happens around every gRPC call: who may, request id, validation, duration, errors without input."""

import contextlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeAlias, TypeVar, cast

import grpc
import protovalidate
from buf.validate import validate_pb2
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.runtime.grpc.call_log import CallLog
from services.runtime.grpc.callers import Callers, names_of, uris_of
from services.runtime.grpc.first_messages import FirstMessages
from services.runtime.grpc.refused_callers import RefusedCallers
from services.runtime.grpc.status import STATUS, trailing_metadata
from services.runtime.grpc.witness import NOBODY, Witness
from services.runtime.logs import get_logger

REQUEST_ID_KEY: Final = "x-request-id"
# Every caller may ask these: the answers are an enum and numbers.
_STATE: Final = ("grpc.health.", "comptoir.readiness.")

_log = get_logger(__name__)
_validator = protovalidate.Validator()

# Only the stubs' types take parameters.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
MaybeHandler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
_Callee = TypeVar("_Callee", bound=Callable[..., Any])
_Request = TypeVar("_Request", bound=Message)


class CallBoundary(grpc.aio.ServerInterceptor):
    """Wraps every method of a server; the only place where an exception becomes a gRPC status."""

    def __init__(self, log: CallLog, callers: Callers | None = None, witness: Witness = NOBODY) -> None:
        self._log = log
        self._witness = witness
        self._callers = callers or Callers({})
        self._refused = RefusedCallers()
        self._first_messages = FirstMessages()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[MaybeHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> MaybeHandler:
        """Returns the method's handler inside the boundary; questions about the process's state pass."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method.lstrip("/")
        if handler is None:
            return None
        if method.startswith(_STATE):
            return self._asked(handler)
        request_id = _request_id(handler_call_details)
        return self._bounded(handler, method, request_id)

    def _bounded(self, handler: Handler, method: str, request_id: str) -> Handler:
        async def unary(request: Any, context: Context) -> Any:
            async with _Call(self._log, method, request_id, context):
                names = names_of(context)
                if names is not None:
                    names = self._callers.in_order(method, names)
                witnessed = self._witness.call(method, names)
                try:
                    self._admit(method, names, context)
                    checked = await self._checked(handler, request)
                    await witnessed.ask(checked)
                    answer = await _method(handler)(checked, context)
                    await witnessed.answer(answer)
                except BaseException as error:
                    witnessed.fail(error)
                    raise
                return answer

        # It writes for itself: a cancelled call then ends the handler here and now, where a generator that
        # waits to be asked for more would be left to the garbage collector with its `finally` blocks.
        async def streaming(request: Any, context: Context) -> None:
            async with _Call(self._log, method, request_id, context):
                self._admit(method, names_of(context), context)
                answer = _method(handler)(await self._checked(handler, request), context)
                if inspect.isawaitable(answer):
                    await answer
                    return
                async with contextlib.aclosing(answer) as responses:
                    async for response in responses:
                        await context.write(response)

        build = _STREAMING if handler.response_streaming else _UNARY
        return build(
            streaming if handler.response_streaming else unary,
            # Read once it is known that the caller may call, and by us: gRPC itself would answer bytes
            # that are no message with the parser's words.
            request_deserializer=None,
            response_serializer=None if _has(handler, "writes_itself") else handler.response_serializer,
        )

    def _asked(self, handler: Handler) -> Handler:
        # A question about the process's state: no id, no line, and bounds as for any other.
        async def asked(requests: Any, context: Context) -> Any:
            try:
                request = _read(handler, await self._first_messages.of(requests))
            except ComptoirError as error:
                await context.abort(STATUS[error.reason], error.reason.name, trailing_metadata(error))
            return await _method(handler)(request, context)

        build = _STREAMING if handler.response_streaming else _UNARY
        return build(asked, request_deserializer=None, response_serializer=handler.response_serializer)

    async def _checked(self, handler: Handler, requests: Any) -> Any:
        if handler.request_streaming:
            return _each_read(handler, requests)
        content = await self._first_messages.of(requests)
        return content if _has(handler, "reads_itself") else _read(handler, content)

    def _admit(self, method: str, names: tuple[str, ...] | None, context: Context) -> None:
        if names is None:
            return
        uris = uris_of(context)
        refusal = self._callers.refusal(method, names, uris)
        if refusal is not None:
            self._refused.tell(refusal, method, uris)
            raise refusal.error()


class _Call:
    """Around one call of a context: what it raises becomes the call's status."""

    def __init__(self, log: CallLog, method: str, request_id: str, context: Context) -> None:
        self._record = log.start(method, request_id)
        self._context = context

    async def __aenter__(self) -> None:
        self._record.bind()

    async def __aexit__(self, _kind: object, error: BaseException | None, trace: object) -> bool:
        # gRPC keeps what `abort` raises, and so this frame.
        del trace
        told = self._record.end(error)
        if told is not None:
            message = told.reason.name if told is error else f"internal error: {type(error).__name__}"
            await self._context.abort(STATUS[told.reason], message, trailing_metadata(told, message))
        return False


def validate(request: Message) -> None:
    """Holds `request` against the rules in its schema; raises REQUEST_INVALID with the field's name."""
    violations = _validator.collect_violations(request, fail_fast=True)
    if violations:
        raise ComptoirError(Reason.REQUEST_INVALID, field=_field_of(violations[0], request))


def learn_rules(service: ServiceDescriptor) -> None:
    """Makes the checks of all requests of a service: the first of a kind would hold the loop up for 14 ms."""
    for method in service.methods:
        _validator.collect_violations(GetMessageClass(method.input_type)())


def _field_of(violation: protovalidate.Violation, request: Message) -> str:
    path = violation.proto.field
    if path is not None:
        return ".".join(element.field_name for element in path.elements)
    # Of the message itself, where one of several fields must be set: the first of them.
    oneof = request.DESCRIPTOR.GetOptions().Extensions[validate_pb2.message].oneof
    return oneof[0].fields[0] if oneof else ""


# gRPC itself would wait for the one request of a call without a bound, so every call is one that streams
# its requests; over the wire both are the same.
_UNARY: Final[Callable[..., Handler]] = grpc.stream_unary_rpc_method_handler
_STREAMING: Final[Callable[..., Handler]] = grpc.stream_stream_rpc_method_handler


def _method(handler: Handler) -> Callable[[Any, Context], Any]:
    found = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    return cast("Callable[[Any, Context], Any]", found)


def _has(handler: Handler, mark: str) -> bool:
    return bool(getattr(_method(handler), mark, False))


def writes_itself(method: _Callee) -> _Callee:
    """Marks a method that gives bytes: it has written its answer in steps."""
    method.__dict__["writes_itself"] = True
    return method


def reads_itself(method: _Callee) -> _Callee:
    """Marks a method that takes bytes, and calls `read_request` once it knows that they may be read."""
    method.__dict__["reads_itself"] = True
    return method


def read_request(parse: Callable[[bytes], _Request], content: bytes) -> _Request:
    """Reads a request and holds it against its schema; raises REQUEST_INVALID."""
    request = parsed_request(parse, content)
    validate(request)
    return request


def parsed_request(parse: Callable[[bytes], _Request], content: bytes) -> _Request:
    """Reads a request; raises REQUEST_INVALID for what is none."""
    try:
        return parse(content)
    except DecodeError:
        raise ComptoirError(Reason.REQUEST_INVALID) from None


async def _each_read(handler: Handler, requests: AsyncIterator[bytes]) -> AsyncIterator[Message]:
    async for request in requests:
        yield _read(handler, request)


def _read(handler: Handler, content: bytes) -> Message:
    return read_request(cast("Callable[[bytes], Message]", handler.request_deserializer), content)


def _request_id(details: grpc.HandlerCallDetails) -> str:
    for key, value in details.invocation_metadata or ():
        if key == REQUEST_ID_KEY and isinstance(value, str):
            given = Identity.from_hex(value)
            if given is not None:
                return given.hex
    return Identity.random().hex
