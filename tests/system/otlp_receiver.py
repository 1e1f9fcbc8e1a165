"""A collector's OTLP/gRPC end, made of OpenTelemetry's own servicers, that keeps whatever comes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from services.runtime.addresses import TlsFiles


class Receiver:
    """What came, by the `service.name` of its resource."""

    def __init__(self) -> None:
        self.port = 0
        self.raw: list[bytes] = []
        self.exports: dict[str, list[list[Metric]]] = {}
        self.spans: list[tuple[str, Span]] = []

    def take_metrics(self, request: metrics_service_pb2.ExportMetricsServiceRequest) -> None:
        """Keeps one export of one process."""
        self.raw.append(request.SerializeToString())
        for resource in request.resource_metrics:
            metrics = [metric for scope in resource.scope_metrics for metric in scope.metrics]
            self.exports.setdefault(_service(resource.resource), []).append(metrics)

    def take_spans(self, request: trace_service_pb2.ExportTraceServiceRequest) -> None:
        """Keeps spans of one process."""
        self.raw.append(request.SerializeToString())
        for resource in request.resource_spans:
            name = _service(resource.resource)
            self.spans += [(name, span) for scope in resource.scope_spans for span in scope.spans]

    def trace(self, request_id: str) -> dict[str, list[Span]]:
        """Returns the spans of a request by process."""
        found: dict[str, list[Span]] = {}
        for service, span in list(self.spans):
            if span.trace_id.hex() == request_id:
                found.setdefault(service, []).append(span)
        return found


@contextmanager
def receiving(tls: TlsFiles | None = None, port: int = 0) -> Iterator[Receiver]:
    """A receiver on a free port of the loopback, or on `port`; with files, it asks for certificates."""
    receiver = Receiver()
    server = grpc.server(ThreadPoolExecutor(4))
    adding: list[tuple[Any, Any]] = [
        (metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server, _Metrics(receiver)),
        (trace_service_pb2_grpc.add_TraceServiceServicer_to_server, _Traces(receiver)),
    ]
    for add, servicer in adding:
        add(servicer, server)
    if tls is None:
        receiver.port = server.add_insecure_port(f"127.0.0.1:{port}")
    else:
        pair = tls.private_key_file.read_bytes(), tls.certificate_file.read_bytes()
        asking = grpc.ssl_server_credentials([pair], tls.ca_file.read_bytes(), require_client_auth=True)
        receiver.port = server.add_secure_port(f"127.0.0.1:{port}", asking)
    server.start()
    try:
        yield receiver
    finally:
        server.stop(5).wait()


class _Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the schema's name
        self._receiver.take_metrics(request)
        return metrics_service_pb2.ExportMetricsServiceResponse()


class _Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the schema's name
        self._receiver.take_spans(request)
        return trace_service_pb2.ExportTraceServiceResponse()


def _service(resource: Any) -> str:
    return str(next(one.value.string_value for one in resource.attributes if one.key == "service.name"))
