"""What the edge is told."""

import contextlib
import ssl
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.edge.domain.limits import EdgeLimits
from services.runtime.addresses import (
    MOST_FURTHER,
    GrpcTarget,
    PeerRegion,
    TlsFiles,
    check_different,
    is_local,
)
from services.runtime.settings import MeteredSettings, SettingsError

# A chain of certificates has a few KiB.
_MAX_PEM_BYTES: Final = 1024 * 1024


class HttpTls(BaseModel):
    """The server's certificate and private key, in PEM form."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    certificate_file: Path = Field(description="the certificate, with its chain")
    private_key_file: Path = Field(description="the private key of the certificate")
    reload_seconds: float = Field(
        default=10.0, gt=0, description="time between two looks whether the files changed"
    )

    def ssl_context(self) -> ssl.SSLContext:
        """Returns the TLS side of a listener with what the files hold now; SettingsError if unusable."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # A client that offers HTTP/2 as well is told at once what is spoken.
        context.set_alpn_protocols(["http/1.1"])
        files = (self.certificate_file, self.private_key_file)
        with contextlib.suppress(OSError):
            if all(file.is_file() and file.stat().st_size <= _MAX_PEM_BYTES for file in files):
                # Without a password, OpenSSL would ask for an encrypted key's on the terminal, and wait.
                context.load_cert_chain(*files, password="")
                return context
        raise SettingsError("the TLS files of edge.listen cannot be read.")


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


class EdgeSettings(MeteredSettings, EdgeLimits):
    """Section `edge`: addresses, and the bounds; durations in seconds."""

    listen: HttpListen = Field(description="where HTTP is served")
    router: GrpcTarget = Field(description="the router, the nearest where there are several")
    further_routers: tuple[GrpcTarget, ...] = Field(
        default=(),
        max_length=MOST_FURTHER,
        description="the other routers of the region, the nearest first: the first that serves and has a "
        "replica is asked, unless the way to a later one is shorter by `nearer_router_seconds`",
    )
    spread_over_routers: bool = Field(
        default=False,
        description="whether the routers that are about equally near share what this edge asks, by how "
        "prompts begin, in place of the first of them: for routers with one lease store that have more to "
        "admit than one of them can",
    )
    prefix_secret_file: Path | None = Field(
        default=None,
        description="32 bytes as hex, the same for all edges of a region: the secret under which they digest "
        "how prompts begin, so that one that comes through another edge finds its replica too; without it "
        "each edge makes one of its own when it starts",
    )
    emitter: GrpcTarget = Field(description="the emitter that takes the edge's own events")
    generator_tls: TlsFiles | None = Field(
        default=None, description="what the edge shows to replicas on other machines, and trusts there"
    )
    generator_peer_region: PeerRegion = Field(
        default="",
        description="`spiffe://TRUST-DOMAIN/region/REGION`, whose certificate a replica must show before a "
        "prompt is sent to it; empty, it need not",
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

    @property
    def routers(self) -> tuple[GrpcTarget, ...]:
        """Every router of the region, the nearest first."""
        return (self.router, *self.further_routers)

    @model_validator(mode="after")
    def _routers_differ(self) -> Self:
        check_different(self.routers)
        return self

    @model_validator(mode="after")
    def _regions_of_replicas_are_told_by_certificates(self) -> Self:
        if self.generator_peer_region and self.generator_tls is None:
            raise ValueError("generator_peer_region is told by certificates, so it needs generator_tls")
        return self
