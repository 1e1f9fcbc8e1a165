"""What the console is told."""

import ipaddress
import ssl
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from services.runtime.addresses import GrpcTarget, is_local, is_loopback
from services.runtime.settings import MeteredSettings, SettingsError

_MOST_PASSWORD_CHARACTERS: Final = 1_024


def _is_network(text: str) -> str:
    network = ipaddress.ip_network(text)
    if network.prefixlen == 0:
        raise ValueError(f"{network} is everybody, who could all say who they are: name the proxy's network")
    return text


Network = Annotated[str, AfterValidator(_is_network)]


class ConsoleTls(BaseModel):
    """The server's certificate, and whose certificates browsers must show."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    certificate_file: Path = Field(description="the certificate, with its chain")
    private_key_file: Path = Field(description="the private key of the certificate")
    client_ca_file: Path | None = Field(
        default=None,
        description="the authority whose certificates let in; who shows none, a proxy too, gets no answer",
    )

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that there are."""
        named = (self.certificate_file, self.private_key_file, self.client_ca_file)
        return tuple(file for file in named if file is not None)

    def ssl_context(self) -> ssl.SSLContext:
        """Returns the TLS side of a listener with what the files hold now; SettingsError if unusable."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            if self.client_ca_file is not None:
                context.load_verify_locations(self.client_ca_file)
                context.verify_mode = ssl.CERT_REQUIRED
            # Without a password, OpenSSL would ask for an encrypted key's on the terminal, and wait.
            context.load_cert_chain(self.certificate_file, self.private_key_file, password="")
        except OSError:
            raise SettingsError("the TLS files of console.listen cannot be read.") from None
        return context


class ConsoleListen(BaseModel):
    """Where the page is served; anything but loopback needs TLS."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", description="the address to listen on")
    port: int = Field(ge=0, le=65535, description="the port; 0 takes any that is free")
    tls: ConsoleTls | None = Field(default=None, description="required unless the address is loopback")

    @model_validator(mode="after")
    def _plaintext_stays_on_the_machine(self) -> Self:
        if self.tls is None and not is_local(f"{self.host}:{self.port}"):
            raise ValueError("host is not loopback, so it needs tls")
        return self


class ProxySignOn(BaseModel):
    """A proxy in front that signs people on, as oauth2-proxy does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    addresses: tuple[Network, ...] = Field(
        min_length=1, max_length=64, description="addresses or networks that the proxy calls from; no others"
    )
    header: str = Field(
        default="x-forwarded-user",
        pattern=r"^[a-z0-9-]{1,64}$",
        description="the header in which it says who has signed on; it must remove that of its callers",
    )


class HttpTarget(BaseModel):
    """An HTTP server to call; anything but this machine needs `https`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str = Field(
        pattern=r"^https?://[^\s/@?#]+$", description="such as `https://edge.example`, without a path"
    )
    ca_file: Path | None = Field(
        default=None, description="the authority that signed its certificate; the machine's own without"
    )

    @model_validator(mode="after")
    def _plaintext_stays_on_the_machine(self) -> Self:
        if self.url.startswith("http://") and not is_loopback(self.host):
            raise ValueError("url is not loopback, so it needs https")
        return self

    @property
    def host(self) -> str:
        """The host in it, without brackets."""
        name = self.url.partition("://")[2]
        return name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]


class EdgeTarget(HttpTarget):
    """The edge, which clients know by a name that may not be the one it is called by here."""

    server_name: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9.-]{0,253}$",
        description="a name in its certificate, where that lacks the host of `url`",
    )

    @property
    def extensions(self) -> dict[str, str]:
        """What httpx is told with each request of it."""
        return {"sni_hostname": self.server_name} if self.server_name else {}


class StoreTarget(HttpTarget):
    """ClickHouse over HTTP, read with a user's rights."""

    database: str = Field(
        default="comptoir", pattern=r"^[a-z][a-z0-9_]{0,62}$", description="where the pipeline's tables are"
    )
    user: str = Field(default="", description="a user who may read them; the server's default without")
    password_file: Path | None = Field(default=None, description="file with the user's password")

    def password(self) -> SecretStr:
        """Returns the password; SettingsError if its file cannot be read."""
        if self.password_file is None:
            return SecretStr("")
        try:
            text = self.password_file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            raise SettingsError("console.store.password_file cannot be read.") from None
        return SecretStr(text[:_MOST_PASSWORD_CHARACTERS])


class ConsoleSettings(MeteredSettings):
    """Section `console`: who may look at the page, and what it asks; durations in seconds."""

    listen: ConsoleListen = Field(description="where the page is served")
    secret_file: Path | None = Field(
        default=None,
        description="32 bytes as hex, from which `comptoir console` makes links that let in once each",
    )
    proxy: ProxySignOn | None = Field(
        default=None, description="a proxy whose people are let in, and nobody who comes past it"
    )
    is_open_to_this_machine: bool = Field(
        default=False,
        description="lets every local user look without signing in, where the address is loopback",
    )
    public_names: tuple[str, ...] = Field(
        default=(),
        max_length=16,
        description="names by which browsers reach it, as in the address bar without a port; loopback's need "
        "not be here, requests for any other are refused",
    )
    session_seconds: float = Field(
        default=43_200.0, ge=60, le=604_800, description="how long whoever used a link stays signed in"
    )
    admin: GrpcTarget = Field(description="a router's admin service")
    edge: EdgeTarget = Field(description="an edge, for its readiness and for the box that tries a model out")
    store: StoreTarget = Field(description="the store")
    processes: dict[str, GrpcTarget] = Field(
        default={},
        max_length=64,
        description="by name, other processes that are asked whether they are ready",
    )
    live_seconds: float = Field(
        default=5.0,
        ge=1,
        le=300,
        description="how old readiness and replicas may be, for all viewers together",
    )
    store_seconds: float = Field(
        default=15.0, ge=1, le=3_600, description="how old latency and load of the store may be"
    )
    slow_seconds: float = Field(
        default=60.0,
        ge=1,
        le=3_600,
        description="how old tenants, completeness and retention may be; a look at tenants is on record",
    )
    max_connections: int = Field(default=256, ge=1, le=65_536, description="most open connections")
    max_trials: int = Field(default=8, ge=1, le=256, description="most answers at once in the try-it box")
    trial_seconds: float = Field(default=300.0, ge=1, description="longest answer in the try-it box")

    @model_validator(mode="after")
    def _somebody_is_asked_for(self) -> Self:
        if self.is_open_to_this_machine:
            if not is_loopback(self.listen.host):
                raise ValueError("is_open_to_this_machine needs a listen.host that is loopback")
            if self.secret_file is not None or self.proxy is not None:
                raise ValueError("is_open_to_this_machine goes without secret_file and proxy")
        elif self.secret_file is None and self.proxy is None and not self.takes_certificates:
            raise ValueError(
                "it needs secret_file, proxy or listen.tls.client_ca_file; on loopback, "
                "is_open_to_this_machine lets every local user look"
            )
        if self.secret_file is not None and self.proxy is not None:
            raise ValueError("secret_file and proxy are two ways to sign on; choose one")
        return self

    @property
    def takes_certificates(self) -> bool:
        """Whether only those get an answer who show a certificate."""
        return self.listen.tls is not None and self.listen.tls.client_ca_file is not None
