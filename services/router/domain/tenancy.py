"""Tenants, their keys, and what a key may use."""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import IntEnum

from pydantic import BaseModel, ConfigDict, Field


class Priority(IntEnum):
    """Scheduling classes, as tickets carry them: lower runs sooner."""

    INTERACTIVE = 0
    DEFAULT = 10
    BATCH = 20


class Quota(BaseModel):
    """How much a key may use; 0 means no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests_per_minute: int = Field(default=0, ge=0, lt=2**32, description="requests per minute")
    tokens_per_minute: int = Field(
        default=0, ge=0, lt=2**32, description="input and output tokens per minute"
    )
    concurrency: int = Field(default=0, ge=0, lt=2**32, description="requests in flight")


@dataclass(frozen=True, slots=True)
class Tenant:
    """The unit of isolation, quota and accounting; regions are catalog numbers."""

    number: int
    name: str
    home_region: int
    created_at_seconds: int
    is_disabled: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """An API key as stored: its digest stands for the secret; no models means every model."""

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

    def may_use(self, model: int) -> bool:
        """Tells whether the key may use the model with this catalog number."""
        return not self.models or model in self.models

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
