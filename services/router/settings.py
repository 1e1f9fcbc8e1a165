"""What the router is told: where it listens, where keys are stored, how long and how much it lends."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.contract.ticket import TICKET_MAX_LIFETIME_SECONDS, TICKET_MAX_SKEW_SECONDS
from services.router.domain.leases import LeaseTerms
from services.router.domain.placement import ReadyTerms
from services.runtime.addresses import GrpcListen, GrpcTarget, GuardedListen
from services.runtime.settings import ProcessSettings


class DefaultQuota(BaseModel):
    """The quota of a key that is created without one; 0 means no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests_per_minute: int = Field(default=6_000, ge=0, lt=2**32, description="requests per minute")
    tokens_per_minute: int = Field(
        default=20_000_000, ge=0, lt=2**32, description="input and output tokens per minute"
    )
    concurrency: int = Field(default=256, ge=0, lt=2**32, description="requests in flight")


class RouterSettings(ProcessSettings):
    """The section `router`."""

    listen: GrpcListen = Field(description="where edges and internal services call")
    replica_listen: GuardedListen = Field(description="where generators register")
    admin_listen: GuardedListen = Field(description="where operators call")
    replica_name: str = Field(
        default="generator-{replica}",
        pattern=r"^[^{}]*\{replica\}[^{}]*$",
        description="over TLS, the name that the certificate of a replica must have; {replica} is its number",
    )
    emitter: GrpcTarget = Field(description="where admission events become durable")
    database_file: Path = Field(description="SQLite file of tenants and keys; created if absent")
    pepper_file: Path = Field(description="32 bytes as hex: the secret under which keys are digested")
    signing_key_file: Path = Field(description="32 bytes as hex: the Ed25519 seed that signs tickets")
    signing_key_number: int = Field(default=1, ge=1, lt=2**32, description="number of that signing key")
    default_quota: DefaultQuota = Field(
        default=DefaultQuota(), description="for keys that are created without a quota"
    )
    ticket_lifetime_seconds: float = Field(
        default=10.0,
        gt=0,
        le=TICKET_MAX_LIFETIME_SECONDS,
        description="from signing a ticket to its end; what it reserves comes back then if nobody used it",
    )
    acceptance_delay_seconds: float = Field(
        default=2.0,
        ge=0,
        description="how long after a ticket's end a replica may still say that it accepted it",
    )
    place_wait_seconds: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="longest wait for a place of the key, or on a replica, before a request is refused",
    )
    replica_return_seconds: float = Field(
        default=5.0, gt=0, description="a replica that stays away for longer holds nothing any more"
    )
    max_generation_seconds: float = Field(
        default=600.0,
        gt=0,
        description="longest generation, no generator's max_request_seconds may be longer",
    )
    report_timeout_seconds: float = Field(
        default=5.0, gt=0, description="a replica that was silent for longer gets no requests"
    )
    emitter_wait_seconds: float = Field(
        default=5.0, gt=0, description="longest wait for the emitter before an admission fails"
    )
    drain_seconds: float = Field(default=10.0, ge=0, description="longest wait for open calls at the end")

    @model_validator(mode="after")
    def _listeners_differ(self) -> Self:
        listeners = (self.listen, self.replica_listen, self.admin_listen)
        if len({listener.address for listener in listeners}) < len(listeners):
            raise ValueError("listen, replica_listen and admin_listen must be three addresses")
        return self

    @property
    def ready_terms(self) -> ReadyTerms:
        """When a replica gets requests: a fast clock may take half of a ticket's life at most."""
        tolerance_seconds = min(float(TICKET_MAX_SKEW_SECONDS), self.ticket_lifetime_seconds / 2)
        return ReadyTerms(self.report_timeout_seconds, tolerance_seconds)

    @property
    def replica_silent_seconds(self) -> float:
        """From a replica's last report to giving it up, whatever became of its stream."""
        return self.report_timeout_seconds + self.replica_return_seconds

    @property
    def lease_terms(self) -> LeaseTerms:
        """How long leases last."""
        return LeaseTerms(
            reserved_seconds=self.ticket_lifetime_seconds + self.acceptance_delay_seconds,
            accepted_seconds=self.max_generation_seconds + self.acceptance_delay_seconds,
            place_wait_seconds=self.place_wait_seconds,
        )
