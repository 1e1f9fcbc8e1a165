"""What the edge is told."""

import ssl
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.edge.domain.limits import EdgeLimits
from services.runtime.addresses import GrpcTarget, TlsFiles, is_local
from services.runtime.settings import MeteredSettings, SettingsError


class HttpTls(BaseModel):
    """The server's certificate and private key, in PEM form."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    certificate_file: Path = Field(description="the certificate, with its chain")
    private_key_file: Path = Field(description="the private key of the certificate")


class HttpListen(BaseModel):
    """Where HTTP is served; anything but loopback needs TLS."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", description="the address to listen on")
    port: int = Field(ge=0, le=65535, description="the port; 0 takes any that is free")
    tls: HttpTls | None = Field(default=None, description="required unless the address is loopback")

    @model_validator(mode="after")
    def _plaintext_stays_on_the_machine(self) -> "HttpListen":
        if self.tls is None and not is_local(f"{self.host}:{self.port}"):
            raise ValueError("host is not loopback, so it needs tls")
        return self

    def ssl_context(self) -> ssl.SSLContext | None:
        """Returns the TLS side of the listener, or None on loopback."""
        if self.tls is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.tls.certificate_file, self.tls.private_key_file)
        except OSError:
            raise SettingsError("the TLS files of edge.listen cannot be read.") from None
        return context


class EdgeSettings(MeteredSettings, EdgeLimits):
    """Section `edge`: addresses, and the bounds; durations in seconds."""

    listen: HttpListen = Field(description="where HTTP is served")
    router: GrpcTarget = Field(description="the router")
    emitter: GrpcTarget = Field(description="the emitter that takes the edge's own events")
    generator_tls: TlsFiles | None = Field(
        default=None, description="what the edge shows to replicas on other machines, and trusts there"
    )
    max_generator_channels: int = Field(
        default=256, ge=1, description="most connections to replicas that stay open without a request"
    )
    max_waiting_events: int = Field(
        default=10_000, ge=1, description="events that may wait for the emitter; more are dropped and counted"
    )
    emitter_seconds: float = Field(
        default=30.0, gt=0, description="longest wait for one answer of the emitter"
    )
    drain_events_seconds: float = Field(
        default=5.0, ge=0, description="how long a drain waits for the emitter to take the last events"
    )
