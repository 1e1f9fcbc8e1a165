"""Tenants, their keys, and what a key may use."""

import hmac
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from services.kernel.errors import ComptoirError, Numbers, Reason


class Priority(IntEnum):
    """Scheduling classes, as tickets carry them: lower runs sooner."""

    INTERACTIVE = 0
    DEFAULT = 10
    BATCH = 20


class Endpoint(IntEnum):
    """What a request is made at; the numbers are stored, and those of the schema."""

    # Over gRPC, by an internal service.
    DIRECT = 1
    CHAT_COMPLETIONS = 2
    COMPLETIONS = 3
    RESPONSES = 4
    EMBEDDINGS = 5
    COUNTS = 6


class Quota(BaseModel):
    """How much a key, or a tenant with all its keys together, may use; 0 means no limit.

    Days and months are those of the calendar in UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests_per_minute: int = Field(default=0, ge=0, lt=2**32, description="requests per minute")
    tokens_per_minute: int = Field(
        default=0, ge=0, lt=2**32, description="input and output tokens per minute"
    )
    concurrency: int = Field(default=0, ge=0, lt=2**32, description="requests in flight")
    tokens_per_day: int = Field(
        default=0, ge=0, lt=2**48, description="input and output tokens per day (UTC)"
    )
    tokens_per_month: int = Field(
        default=0, ge=0, lt=2**48, description="input and output tokens per month (UTC)"
    )
    # In billionths of the unit, the largest is still exact in a double, as the lease store counts.
    money_per_month_cents: int = Field(
        default=0,
        ge=0,
        le=899_999_999,
        description="budget per month (UTC), in hundredths of the catalog's currency",
    )

    def filled(self, default: "Quota") -> "Quota":
        """Returns it with each limit of 0 as `default` has it."""
        limits = {name: getattr(self, name) or getattr(default, name) for name in Quota.model_fields}
        return Quota(**limits)


UNLIMITED: Final = Quota()


@dataclass(frozen=True, slots=True)
class Tenant:
    """The unit of isolation, quota and accounting; regions are catalog numbers."""

    number: int
    name: str
    home_region: int
    created_at_seconds: int
    is_disabled: bool = False
    quota: Quota = UNLIMITED


@dataclass(frozen=True, slots=True)
class Key:
    """An API key as stored: its digest stands for the secret.

    No models means every model, no endpoints every endpoint, no regions wherever its tenant may be served.
    """

    number: int
    tenant: Tenant
    digest: bytes = field(repr=False)
    label: str
    models: frozenset[int]
    quota: Quota
    created_at_seconds: int
    expires_at_seconds: int = 0
    revoked_at_seconds: int = 0
    best_priority: Priority = Priority.DEFAULT
    endpoints: frozenset[Endpoint] = frozenset()
    regions: frozenset[int] = frozenset()
    is_disabled: bool = False
    # The secret of before the last rotation, and until when it is taken.
    previous_digest: bytes | None = field(default=None, repr=False)
    previous_until_seconds: int = 0
    # The beginning of the hour; 0 for never.
    last_used_seconds: int = 0

    @property
    def digests(self) -> tuple[bytes, ...]:
        """The digests by which the key is found."""
        return (self.digest,) if self.previous_digest is None else (self.digest, self.previous_digest)

    def shown_as(self, digest: bytes) -> "Key | None":
        """Returns the key as it is for who shows the secret of a digest: one of before ends with its overlap.

        None for any other digest.
        """
        if hmac.compare_digest(self.digest, digest):
            return self
        if self.previous_digest is None or not hmac.compare_digest(self.previous_digest, digest):
            return None
        ends = [end for end in (self.expires_at_seconds, self.previous_until_seconds) if end]
        return replace(self, expires_at_seconds=min(ends, default=1))

    def check_overlap_is_over(self, now_seconds: float) -> None:
        """Raises OVERLAP_NOT_OVER, with the moment, while the secret of before the last rotation is taken."""
        if self.previous_digest is not None and self.previous_until_seconds > now_seconds:
            raise ComptoirError(Reason.OVERLAP_NOT_OVER, numbers=Numbers(limit=self.previous_until_seconds))

    def may_use(self, model: int) -> bool:
        """Tells whether the key may use the model with this catalog number."""
        return not self.models or model in self.models

    def may_call(self, endpoint: Endpoint) -> bool:
        """Tells whether the key may be used at an endpoint."""
        return not self.endpoints or endpoint in self.endpoints

    def may_be_served_in(self, region: int) -> bool:
        """Tells whether the region with this catalog number may serve the key, as far as the key says."""
        return not self.regions or region in self.regions

    def clamped(self, claimed: Priority) -> Priority:
        """Returns the class that a request of this key gets: the one it claims, or the key's best."""
        return max(claimed, self.best_priority)

    def is_expired(self, now_seconds: float) -> bool:
        """Tells whether the key's end has passed."""
        return 0 < self.expires_at_seconds <= now_seconds


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to store, for the tenant of that name."""

    tenant_name: str
    digest: bytes = field(repr=False)
    label: str
    models: Collection[int]
    quota: Quota
    created_at_seconds: int
    expires_at_seconds: int = 0
    best_priority: Priority = Priority.DEFAULT
    endpoints: Collection[Endpoint] = ()
    regions: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class KeyChange:
    """What becomes different of a key; None leaves it as it is."""

    label: str | None = None
    models: Collection[int] | None = None
    endpoints: Collection[Endpoint] | None = None
    regions: Collection[int] | None = None
    quota: Quota | None = None
    best_priority: Priority | None = None
    expires_at_seconds: int | None = None
    is_disabled: bool | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What changes of tenants and keys were about, up to that number; all is another thing if not `is_told`.

    `digests` are those by which the keys are found now.
    """

    number: int
    keys: frozenset[int] = frozenset()
    tenants: frozenset[int] = frozenset()
    digests: Collection[bytes] = field(default=(), repr=False)
    is_told: bool = True

    @classmethod
    def of(cls, changed: "Tenant | Key", number: int = 0) -> "Changes":
        """Returns what one change was about, by what it made."""
        if isinstance(changed, Tenant):
            return cls(number, tenants=frozenset({changed.number}))
        return cls(number, keys=frozenset({changed.number}), digests=changed.digests)

    def is_about(self, key: "Key") -> bool:
        """Tells whether a key may be another one by them."""
        return not self.is_told or key.number in self.keys or key.tenant.number in self.tenants


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list by number: what comes behind `after`, `most` of it or all; some numbers or any."""

    after: int = 0
    most: int | None = None
    numbers: frozenset[int] | None = None


EVERYTHING: Final = Page()
