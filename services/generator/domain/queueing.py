"""Where a request stands in the engine's queue: by class and by age, in one number that never changes."""

from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

# The classes of tickets; a number between two of them is of the class before it.
_DEFAULT: Final = 10
_BATCH: Final = 20
_MILLISECONDS: Final = 1000


class QueueOrder(BaseModel):
    """Orders by arrival, as if a request had come its class's seconds later than it did.

    Interactive requests go first among those that came together. Whatever waited for its seconds
    goes before every request that comes then, so nobody can keep it waiting by sending more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    default_yields_seconds: float = Field(
        default=5.0,
        ge=0,
        le=86_400,
        description="a default request goes before interactive ones that come so much later",
    )
    batch_yields_seconds: float = Field(
        default=60.0,
        ge=0,
        le=86_400,
        description="a batch request goes before interactive ones that come so much later",
    )

    @model_validator(mode="after")
    def _batch_yields_longest(self) -> Self:
        if self.batch_yields_seconds < self.default_yields_seconds:
            raise ValueError("batch_yields_seconds must not be below default_yields_seconds")
        return self

    def number(self, ticket_priority: int, arrived_seconds: float) -> int:
        """Returns the engine's priority, lower sooner: milliseconds on the clock of `arrived_seconds`."""
        return round((arrived_seconds + self._yields_seconds(ticket_priority)) * _MILLISECONDS)

    def _yields_seconds(self, ticket_priority: int) -> float:
        if ticket_priority >= _BATCH:
            return self.batch_yields_seconds
        return self.default_yields_seconds if ticket_priority >= _DEFAULT else 0.0
