"""A gRPC server that is bounded, says whether it is ready, and drains; and channels to call one."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final

import grpc
from comptoir.readiness.v1 import readiness_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.kernel.clock import Clock
from services.kernel.readiness import DRAINING, READY, STARTING, Readiness, Unready, unready
from services.runtime.addresses import WITHOUT_PROXY, GrpcListen, GrpcTarget
from services.runtime.grpc.call_log import CallLog
from services.runtime.grpc.callers import Callers
from services.runtime.grpc.health import HealthService
from services.runtime.grpc.interceptors import CallBoundary
from services.runtime.grpc.joined.answers import JoinedStreams
from services.runtime.grpc.readiness_service import ReadinessServicer
from services.runtime.grpc.reloaded_channel import ReloadedChannel
from services.runtime.grpc.server_tls import ServerTls
from services.runtime.grpc.witness import NOBODY, Witness
from services.runtime.logs import get_logger
from services.runtime.settings import SettingsError

_log = get_logger(__name__)

# A client pings only while calls are open and at most every 30 s, so a long prefill keeps its connection.
_KEEPALIVE: Final = (
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.http2.max_pings_without_data", 0),
)
_METADATA: Final = (("grpc.max_metadata_size", 8 * 1024), ("grpc.absolute_max_metadata_size", 16 * 1024))


# Of a unix socket: to connect, one must be able to write.
_OWNER_ONLY: Final = 0o600


class GrpcServer:
    """A server on one address, with the standard health service and the reasons behind it."""

    def __init__(
        self,
        server: grpc.aio.Server,
        listen: GrpcListen,
        healths: HealthService,
        readiness: ReadinessServicer,
        calls: CallLog,
    ) -> None:
        self.server = server
        self.joined = JoinedStreams(calls)
        self._listen = listen
        self._healths = healths
        self._readiness = readiness

    @property
    def why_unready(self) -> Callable[[], str]:
        """What says why the process of this server is not ready; it holds nothing else of the server."""
        return self._readiness.why_unready

    async def start(self) -> None:
        """Binds and accepts calls; health says NOT_SERVING. SettingsError if it cannot."""
        try:
            if self._listen.tls is None:
                self.server.add_insecure_port(self._listen.address)
            else:
                self.server.add_secure_port(
                    self._listen.address, ServerTls(self._listen.address, self._listen.tls).credentials()
                )
        except RuntimeError:
            unless = "" if self._listen.tls is None else ", or its TLS files hold no certificate and key"
            raise SettingsError(
                f"the address {self._listen.address} is taken{unless}; "
                "stop what listens there or set another."
            ) from None
        if self._listen.socket is not None:
            # After `keep_private` it is born its owner's; without, it becomes so here.
            self._listen.socket.chmod(_OWNER_ONLY)
        await self.set_serving(is_serving=False)
        await self.server.start()
        _log.info("listening", address=self._listen.address)

    async def set_serving(self, *, is_serving: bool) -> None:
        """Sets what the health service answers, where there is no more to say than that."""
        self.tell_serving(is_serving=is_serving)

    def tell_serving(self, *, is_serving: bool) -> None:
        """As `set_serving`, for callers that cannot wait."""
        not_ready = unready(Unready.UNSPECIFIED) if self._readiness.was_ready else STARTING
        self._tell(READY if is_serving else not_ready)

    async def set_readiness(self, state: Readiness) -> None:
        """Sets what the health service answers, and why."""
        self._tell(state)

    def _tell(self, state: Readiness) -> None:
        self._readiness.tell(state)
        status = (
            health_pb2.HealthCheckResponse.SERVING
            if state.is_ready
            else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        self._healths.set("", status)

    async def set_service(self, service: str, *, is_serving: bool) -> None:
        """Sets what the health service answers for one service, by its full name."""
        serving = health_pb2.HealthCheckResponse
        self._healths.set(service, serving.SERVING if is_serving else serving.NOT_SERVING)

    async def drain(self, grace_seconds: float) -> None:
        """Says NOT_SERVING, and lets open calls end within the grace.

        Joined streams take no new calls and end first: what is written behind the word that the connection
        closes may be unread when it does. From then on the server takes no other calls either.
        """
        loop = asyncio.get_running_loop()
        until_seconds = loop.time() + grace_seconds
        self._readiness.tell(DRAINING)
        self._healths.shut_down()
        await self.joined.drain(within_seconds=grace_seconds)
        await self.server.stop(max(0.0, until_seconds - loop.time()))


def build_server(
    listen: GrpcListen,
    *,
    clock: Clock,
    max_receive_bytes: int = 4 * 1024 * 1024,
    max_concurrent_calls: int = 4096,
    call_level: int = logging.DEBUG,
    witness: Witness = NOBODY,
) -> GrpcServer:
    """Returns a server with the call boundary and health; add servicers to `.server`, then `start()` it.

    Every call leaves a line of `call_level`: its method, status and duration. `witness` hears of each.
    """
    calls = CallLog(clock, level=call_level)
    server = grpc.aio.server(
        interceptors=[CallBoundary(calls, Callers(listen.callers, listen.region_of_peers), witness)],
        maximum_concurrent_rpcs=max_concurrent_calls,
        options=[
            ("grpc.max_receive_message_length", max_receive_bytes),
            ("grpc.so_reuseport", 0),
            ("grpc.http2.min_ping_interval_without_data_ms", 30_000),
            ("grpc.http2.max_ping_strikes", 2),
            *_KEEPALIVE,
            *_METADATA,
        ],
    )
    healths = HealthService()
    health_pb2_grpc.add_HealthServicer_to_server(healths, server)
    readiness = ReadinessServicer(clock)
    readiness_pb2_grpc.add_ReadinessServiceServicer_to_server(readiness, server)
    return GrpcServer(server, listen, healths, readiness, calls)


def channel(
    target: GrpcTarget,
    *,
    max_receive_bytes: int = 4 * 1024 * 1024,
    options: Iterable[tuple[str, int | str]] = (),
    at: str = "",
) -> grpc.aio.Channel:
    """Returns a channel to `target` that reconnects within a second; it never retries a call by itself.

    Each call that begins has the TLS files as they are then. `at` is one of the addresses behind the name of
    the target, which the certificate there is to bear. With `peer_region`, the name that it bears must be
    that of the host in this region, so nothing is sent to a server of another one.
    """
    arguments = [
        ("grpc.max_receive_message_length", max_receive_bytes),
        ("grpc.enable_retries", 0),
        WITHOUT_PROXY,
        ("grpc.initial_reconnect_backoff_ms", 100),
        # Also the time that one attempt to connect is given.
        ("grpc.min_reconnect_backoff_ms", 2_000),
        ("grpc.max_reconnect_backoff_ms", 1_000),
        *_KEEPALIVE,
        *_METADATA,
        *options,
    ]
    address = at or target.address
    if (name := target.name_to_prove(is_elsewhere=bool(at))) is not None:
        arguments.append(("grpc.ssl_target_name_override", name))
    if target.tls is None:
        return grpc.aio.insecure_channel(address, options=arguments)
    return ReloadedChannel(
        target.address,
        target.tls,
        lambda credentials: grpc.aio.secure_channel(address, credentials, options=arguments),
    )
