"""What the edge is told."""

import ssl
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.edge.domain.limits import EdgeLimits
from services.runtime.addresses import GrpcTarget, TlsFiles, is_local
from services.runtime.settings import ProcessSettings, SettingsError


class HttpTls(BaseModel):
    """The server's certificate and private key, in PEM form."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    certificate_file: Path
    private_key_file: Path


class HttpListen(BaseModel):
    """Where HTTP is served; anything but loopback needs TLS."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    tls: HttpTls | None = None

    @model_validator(mode="after")
    def _plaintext_stays_on_the_machine(self) -> "HttpListen":
        if self.tls is None and not is_local(f"{self.host}:{self.port}"):
            raise ValueError("host is not loopback, so it needs tls")
        return self

    def ssl_context(self) -> ssl.SSLContext | None:
        """The TLS side of the listener, or None on loopback."""
        if self.tls is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.tls.certificate_file, self.tls.private_key_file)
        except OSError:
            raise SettingsError("the TLS files of edge.listen cannot be read.") from None
        return context


class EdgeSettings(ProcessSettings):
    """Section `edge`; durations in seconds."""

    listen: HttpListen
    router: GrpcTarget
    emitter: GrpcTarget
    generator_tls: TlsFiles | None = None

    max_body_bytes: int = Field(default=1024 * 1024, ge=1024, le=1024 * 1024)
    max_header_bytes: int = Field(default=8 * 1024, ge=1024, le=64 * 1024)
    # Above it, the connection that has waited longest for a request is closed for a new one.
    max_connections: int = Field(default=4096, ge=1, le=1_000_000)
    max_generator_channels: int = Field(default=256, ge=1)
    max_waiting_events: int = Field(default=10_000, ge=1)

    header_seconds: float = Field(default=10.0, gt=0)
    body_seconds: float = Field(default=30.0, gt=0)
    idle_connection_seconds: int = Field(default=75, ge=1)
    router_seconds: float = Field(default=10.0, gt=0)
    first_text_seconds: float = Field(default=120.0, gt=0)
    request_seconds: float = Field(default=600.0, gt=0)
    ping_seconds: float = Field(default=10.0, gt=0)
    # How long a client may take in nothing of an answer that waits for it.
    write_seconds: float = Field(default=60.0, gt=0)
    emitter_seconds: float = Field(default=30.0, gt=0)
    # Between SIGTERM and the closing of the listener, so that load balancers see `/readyz` fail first.
    drain_notice_seconds: float = Field(default=0.0, ge=0)
    drain_seconds: int = Field(default=30, ge=1)
    drain_events_seconds: float = Field(default=5.0, ge=0)

    @property
    def limits(self) -> EdgeLimits:
        """The bounds, as the server takes them."""
        return EdgeLimits(
            max_body_bytes=self.max_body_bytes,
            max_header_bytes=self.max_header_bytes,
            max_connections=self.max_connections,
            header_seconds=self.header_seconds,
            body_seconds=self.body_seconds,
            idle_connection_seconds=self.idle_connection_seconds,
            first_text_seconds=self.first_text_seconds,
            request_seconds=self.request_seconds,
            ping_seconds=self.ping_seconds,
            write_seconds=self.write_seconds,
            drain_notice_seconds=self.drain_notice_seconds,
            drain_seconds=self.drain_seconds,
            release_seconds=self.router_seconds,
        )
