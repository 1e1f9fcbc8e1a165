"""What the router is told: where it listens, where keys are stored, how long and how much it lends."""

from enum import Enum
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, PostgresDsn, field_validator, model_validator

from services.router.domain.limits import RouterLimits
from services.router.domain.scaling import ScalingRules
from services.router.domain.tenancy import Quota
from services.runtime.addresses import (
    CallerListen,
    GrpcTarget,
    GuardedListen,
    TlsFiles,
    is_local,
    is_loopback,
    split_address,
)
from services.runtime.settings import MeteredSettings

# What a database's URL may say after its question mark: where the server is, and how it is known.
_DATABASE_OPTIONS: Final = frozenset(
    {"host", "sslmode", "sslrootcert", "sslcert", "sslkey", "target_session_attrs"}
)
MEMORY: Final = "memory"


class DefaultQuota(Quota):
    """The quota of a key that is created without one; 0 means no limit."""

    requests_per_minute: int = Field(default=6_000, ge=0, lt=2**32, description="requests per minute")
    tokens_per_minute: int = Field(
        default=20_000_000, ge=0, lt=2**32, description="input and output tokens per minute"
    )
    concurrency: int = Field(default=256, ge=0, lt=2**32, description="requests in flight")


class WhileAway(Enum):
    """What a router does while the store that several share does not answer."""

    REFUSE = "refuse"
    LOCAL_SHARE = "local_share"


class LeaseStoreSettings(BaseModel):
    """Where quotas and leases are kept."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    address: str = Field(
        default=MEMORY,
        description="`memory`, for one router; or Redis or Valkey that several share: `host:port` or "
        "`unix:/path`",
    )
    tls: TlsFiles | None = Field(default=None, description="required unless the address is on this machine")
    user: str = Field(default="", description="name at the server; empty is its default user")
    password_file: Path | None = Field(default=None, description="file with the password at the server")
    database: int = Field(default=0, ge=0, lt=2**16, description="number of the database at the server")
    timeout_seconds: float = Field(
        default=1.0, gt=0, le=30, description="longest wait for the server before a request is refused"
    )
    while_away: WhileAway = Field(
        default=WhileAway.REFUSE,
        description="while the server does not answer: refuse: no request is admitted; local_share: each "
        "router lends its share of each limit by itself, and tells the server when that is back",
    )
    sharing_routers: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="how many routers use the server: a share is that part of a limit; local_share needs it",
    )

    @property
    def is_shared(self) -> bool:
        """Tells whether a server keeps them for several routers."""
        return self.address != MEMORY

    @model_validator(mode="after")
    def _plaintext_stays_on_the_machine(self) -> Self:
        if not self.is_shared:
            return self
        if not self.address.startswith("unix:/"):
            split_address(self.address)
        if self.tls is None and not is_local(self.address):
            raise ValueError("address is not loopback, so it needs tls")
        return self

    @model_validator(mode="after")
    def _shares_are_known(self) -> Self:
        if self.while_away is WhileAway.LOCAL_SHARE and not self.sharing_routers:
            raise ValueError("while_away is local_share, so it needs sharing_routers")
        return self


class RouterSettings(MeteredSettings, RouterLimits):
    """The section `router`: addresses and files, and the bounds; durations in seconds."""

    listen: CallerListen = Field(description="where edges and internal services call")
    replica_listen: GuardedListen = Field(description="where generators register")
    admin_listen: GuardedListen = Field(description="where operators call")
    scaler_listen: GuardedListen | None = Field(
        default=None,
        description="where KEDA asks for `externalscaler.ExternalScaler`; left out, nowhere",
    )
    scaling: tuple[ScalingRules, ...] = Field(
        default=(),
        description="the models that something scales by what the router says; requests for one are held "
        "although it has no replica, `hold_seconds` at most",
    )
    replica_name: str = Field(
        default="generator-{replica}",
        pattern=r"^[^{}]*\{replica\}[^{}]*$",
        description="over TLS, the name that the certificate of a replica must have; {replica} is its number",
    )
    emitter: GrpcTarget = Field(description="where admission events become durable")
    database_file: Path | None = Field(
        default=None,
        description="SQLite file of tenants and keys, created if absent; required without `database_url`",
    )
    database_url: PostgresDsn | None = Field(
        default=None,
        description="the PostgreSQL database of tenants and keys that several routers share, in place of "
        "`database_file`: `postgresql://user@host/name`, and `?sslmode=verify-full` unless that is loopback",
    )
    database_password_file: Path | None = Field(
        default=None, description="file with the password of that user, read for each connection"
    )
    pepper_file: Path = Field(description="32 bytes as hex: the secret under which keys are digested")
    signing_key_file: Path = Field(description="32 bytes as hex: the Ed25519 seed that signs tickets")
    signing_key_number: int = Field(default=1, ge=1, lt=2**32, description="number of that signing key")
    default_quota: DefaultQuota = Field(
        default=DefaultQuota(), description="for keys that are created without a quota"
    )
    emitter_wait_seconds: float = Field(
        default=5.0, gt=0, description="longest wait for the emitter before an admission fails"
    )
    lease_store: LeaseStoreSettings = Field(
        default=LeaseStoreSettings(), description="where quotas and leases are kept"
    )
    drain_seconds: float = Field(default=10.0, ge=0, description="longest wait for open calls at the end")

    @field_validator("database_url")
    @classmethod
    def _url_is_safe(cls, url: PostgresDsn | None) -> PostgresDsn | None:
        if url is None:
            return url
        options, hosts = dict(url.query_params()), url.hosts()
        if len(hosts) > 1 or not url.path:
            raise ValueError("must name one host and a database")
        if hosts[0]["password"]:
            raise ValueError("must hold no password; database_password_file names a file that does")
        if options.keys() - _DATABASE_OPTIONS:
            raise ValueError(f"may say no more than {', '.join(sorted(_DATABASE_OPTIONS))} after its ?")
        if not options.get("host", "/").startswith("/"):
            raise ValueError("may name after its ? no host but the folder of a socket")
        if not is_loopback(hosts[0]["host"] or "") and options.get("sslmode") != "verify-full":
            raise ValueError("is not loopback, so it needs sslmode=verify-full")
        return url

    @model_validator(mode="after")
    def _keys_are_somewhere(self) -> Self:
        if self.database_file is None and self.database_url is None:
            raise ValueError("database_file or database_url must say where keys are")
        return self

    @property
    def lender(self) -> int:
        """Returns the number of a router that lends what no other knows of; 0 where none ever does."""
        store = self.lease_store
        return 0 if store.is_shared and store.while_away is WhileAway.REFUSE else self.number

    @property
    def has_own_quotas(self) -> bool:
        """Tells whether the router lends every quota by itself, whatever other routers lend of it."""
        return not self.lease_store.is_shared

    @model_validator(mode="after")
    def _listeners_differ(self) -> Self:
        listeners = [self.listen, self.replica_listen, self.admin_listen]
        if self.scaler_listen is not None:
            listeners.append(self.scaler_listen)
        if len({listener.address for listener in listeners}) < len(listeners):
            raise ValueError("listen, replica_listen, admin_listen and scaler_listen must differ in address")
        return self

    @model_validator(mode="after")
    def _each_scaled_model_is_known_once(self) -> Self:
        names = [rules.model for rules in self.scaling]
        if len(set(names)) < len(names):
            raise ValueError("scaling names a model twice")
        if any(self.catalog.model_by_name(name) is None for name in names):
            raise ValueError("scaling names a model that is not in catalog.models")
        return self

    @property
    def scaling_by_model(self) -> dict[int, ScalingRules]:
        """The rules by the catalog number of their model."""
        known = ((self.catalog.model_by_name(rules.model), rules) for rules in self.scaling)
        return {model.number: rules for model, rules in known if model is not None}
