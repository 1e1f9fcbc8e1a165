"""Where a request stands among those that wait for a place: by class and by age, so that none starves."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.router.domain.tenancy import Priority


class Ageing(BaseModel):
    """Orders by arrival, as if a request had come its class's seconds later than it did."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    default_yields_seconds: float = Field(
        default=5.0,
        ge=0,
        le=600,
        description="a default request goes before interactive ones that come so much later",
    )
    batch_yields_seconds: float = Field(
        default=20.0,
        ge=0,
        le=600,
        description="a batch request goes before interactive ones that come so much later, one in "
        "`batch.trickle_seconds`",
    )

    @model_validator(mode="after")
    def _batch_yields_longest(self) -> Self:
        if self.batch_yields_seconds < self.default_yields_seconds:
            raise ValueError("batch_yields_seconds must not be below default_yields_seconds")
        return self

    def due_seconds(self, priority: int, arrived_seconds: float) -> float:
        """Returns the moment that orders those that wait, lower first; it never changes."""
        if priority >= Priority.BATCH:
            return arrived_seconds + self.batch_yields_seconds
        return arrived_seconds + (self.default_yields_seconds if priority >= Priority.DEFAULT else 0.0)
