"""Where gRPC listens and whom it calls, with TLS files; plaintext stays on the machine."""

import ipaddress
import re
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Self

import grpc
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from services.kernel.process_names import RegionName
from services.runtime.settings_error import SettingsError

# Of routers beside the first: each costs a connection, and a look now and then.
MOST_FURTHER: Final = 15
_PORT: Final = re.compile(r"[0-9]{1,5}")


class TlsFiles(BaseModel):
    """Mutual TLS from three files in PEM form."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    certificate_file: Path = Field(description="this process's certificate, with its chain")
    private_key_file: Path = Field(description="the private key of the certificate")
    ca_file: Path = Field(description="the authority that signed the other side's certificate")

    def server_configuration(self) -> grpc.ServerCertificateConfiguration:
        """Returns what a server shows and whose certificates it believes; SettingsError if it is no use."""
        chain, key, ca = self._read_whole()
        return grpc.ssl_server_certificate_configuration([(key, chain)], ca)

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Returns credentials of a caller that shows its certificate; SettingsError if they are no use."""
        chain, key, ca = self._read_whole()
        return grpc.ssl_channel_credentials(ca, key, chain)

    def ssl_context(self) -> ssl.SSLContext:
        """Returns the context of a caller that shows its certificate outside gRPC."""
        self._read()  # names the file that is missing, which the library does not
        try:
            context = ssl.create_default_context(cafile=str(self.ca_file))
            # Without a password, OpenSSL would ask for an encrypted key's on the terminal, and wait.
            context.load_cert_chain(self.certificate_file, self.private_key_file, password="")
        except OSError:
            raise SettingsError("the TLS files are no certificate, its key and an authority.") from None
        return context

    def _read_whole(self) -> tuple[bytes, bytes, bytes]:
        content = self._read()
        # gRPC would say nothing of a key that is not the certificate's, and fail at each handshake.
        self.ssl_context()
        if self._read() != content:
            raise SettingsError("the TLS files are being written; wait until that has ended.")
        return content

    def _read(self) -> tuple[bytes, bytes, bytes]:
        try:
            return (
                self.certificate_file.read_bytes(),
                self.private_key_file.read_bytes(),
                self.ca_file.read_bytes(),
            )
        except OSError as error:
            raise SettingsError(f"the TLS file {Path(error.filename).name} cannot be read.") from None


def split_address(address: str) -> tuple[str, int]:
    """Returns host and port of `host:port`; raises ValueError for anything else."""
    host, separator, port = address.rpartition(":")
    if not separator or not host or not _PORT.fullmatch(port) or int(port) > 65535:  # noqa: PLR2004 - the last port
        raise ValueError("must be host:port or unix:/path")
    return host.strip("[]"), int(port)


def is_local(address: str) -> bool:
    """Returns whether only this machine can reach `address`: loopback, or a unix socket."""
    if address.startswith("unix:"):
        return True
    return is_loopback(split_address(address)[0])


def is_loopback(host: str) -> bool:
    """Returns whether `host` is this machine: `localhost`, or a loopback address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _known_region(region: str) -> str:
    if region and RegionName.parse(region) is None:
        raise ValueError("must be spiffe://TRUST-DOMAIN/region/REGION, in small letters")
    return region


# Empty, or the region that certificates must name.
PeerRegion = Annotated[str, AfterValidator(_known_region)]

# As an option of a gRPC channel: `http_proxy` in the environment leads none elsewhere, not even on loopback.
WITHOUT_PROXY: Final = ("grpc.enable_http_proxy", 0)


class GrpcTarget(BaseModel):
    """A gRPC address to call: `host:port` or `unix:/path`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str = Field(description="`host:port` or `unix:/path`")
    tls: TlsFiles | None = Field(default=None, description="required unless the address is on this machine")
    peer_region: PeerRegion = Field(
        default="",
        description="`spiffe://TRUST-DOMAIN/region/REGION`, which the other side's certificate must name, or "
        "nothing is sent to it and no call of it is taken; empty, it need not",
    )

    @field_validator("address")
    @classmethod
    def _address_is_well_formed(cls, address: str) -> str:
        if not address.startswith("unix:"):
            split_address(address)
        elif not address.startswith("unix:/"):
            raise ValueError("must be host:port or unix:/path")
        return address

    @property
    def host_name(self) -> str | None:
        """The name in it, behind which there may be several hosts; None where it is the address of one."""
        if self.address.startswith("unix:"):
            return None
        host, _ = split_address(self.address)
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return None if host == "localhost" else host
        return None

    @property
    def region_of_peers(self) -> RegionName | None:
        """The region that certificates of the other side must name; None where they need not."""
        return RegionName.parse(self.peer_region)

    def name_to_prove(self, *, is_elsewhere: bool = False) -> str | None:
        """Returns the DNS name that a server's certificate must bear; None for that in the address called.

        `is_elsewhere` says that one of the addresses behind the name is called.
        """
        if self.region_of_peers is not None and self.tls is not None:
            return self.region_of_peers.host(split_address(self.address)[0])
        return self.host_name if is_elsewhere else None

    @model_validator(mode="after")
    def _regions_are_told_by_certificates(self) -> Self:
        if self.peer_region and (self.tls is None or self.address.startswith("unix:")):
            raise ValueError("peer_region is told by certificates, so it needs host:port and tls")
        return self

    @model_validator(mode="after")
    def _plaintext_stays_on_the_machine(self) -> "GrpcTarget":
        if self.tls is None and not is_local(self.address):
            raise ValueError("address is not loopback, so it needs tls")
        return self


def check_different(routers: Sequence[GrpcTarget]) -> None:
    """Raises ValueError where one router stands twice: what is told each would be told it twice."""
    if len({router.address for router in routers}) < len(routers):
        raise ValueError("router and further_routers must be different addresses")


class GrpcListen(GrpcTarget):
    """A gRPC address to listen on: `host:port` or `unix:/path`, a socket of mode 0600.

    `callers` lists, by service (`EmitterService`) or RPC (`ReplicaService/Report`), the names in the
    certificates of those who may call, `*` for any characters; what it does not list nobody may call.
    Empty, it lets everyone call whose certificate the authority signed.
    """

    callers: dict[str, tuple[str, ...]] = Field(
        default={},
        description="by service or `Service/RPC`, the names in the certificates of those who may call, `*` "
        "for any characters; what is not listed nobody may call; empty, everyone with a certificate may call",
    )

    @property
    def socket(self) -> Path | None:
        """The path of a unix socket."""
        return Path(self.address.removeprefix("unix:")) if self.address.startswith("unix:") else None

    @model_validator(mode="after")
    def _callers_can_be_told_apart(self) -> Self:
        if self.callers and self.tls is None:
            raise ValueError("callers are told by their certificates, so they need tls")
        return self


class CallerListen(GrpcListen):
    """Where services listen internal services call, with stubs or with a tool that asks for the schema."""

    reflection: bool | None = Field(
        default=None,
        description="whether callers may read the schema, as grpcurl does; left out, only without tls",
    )

    @property
    def is_described(self) -> bool:
        """True if the schema is told: without `tls`, and so on this machine, unless `reflection` says it."""
        return self.tls is None if self.reflection is None else self.reflection


class GuardedListen(GrpcListen):
    """Where services listen that only other processes of Comptoir and operators may call.

    A unix socket is its owner's. Over TCP they need `tls` and `callers`, or, on loopback, the statement
    that every process of the machine may call.
    """

    is_open_to_this_machine: bool = Field(
        default=False, description="lets every process of this machine call, where the address is loopback"
    )

    @model_validator(mode="after")
    def _not_everybody_may_call(self) -> Self:
        if self.socket is not None or (self.tls is not None and self.callers):
            return self
        if self.tls is None and self.is_open_to_this_machine:
            return self
        raise ValueError(
            "address must be unix:/path, or come with tls and callers; on loopback, "
            "is_open_to_this_machine lets every local process call"
        )
