"""What a million tokens cost: the arithmetic of the view, and of what would be if."""

from dataclasses import dataclass
from typing import Any, Final

_HOUR_SECONDS: Final = 3_600
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Paid:
    """What one group of replicas cost and did, of what has a cost; money in the price list's currency."""

    cost: float
    idle_cost: float
    tokens: int
    """Input and output of requests that ended by themselves."""
    replica_seconds: float
    busy_seconds: float
    gpu_seconds: float

    @classmethod
    def of(cls, row: dict[str, Any]) -> "Paid | None":
        """Returns it of a row of the report; None where nothing of it has a cost."""
        if row["cost"] is None:
            return None
        names = ("cost", "idle_cost", "priced_tokens", "replica_seconds", "busy_seconds", "gpu_seconds")
        return cls(*(row[name] for name in names))

    @property
    def cost_per_hour(self) -> float | None:
        """What one replica costs in an hour."""
        return self.cost * _HOUR_SECONDS / self.replica_seconds if self.replica_seconds else None

    @property
    def tokens_per_second(self) -> float | None:
        """What one replica brings in a second, idle ones included."""
        return self.tokens / self.replica_seconds if self.replica_seconds else None

    @property
    def utilisation(self) -> float | None:
        """The share of their time in which replicas had a request."""
        return self.busy_seconds / self.replica_seconds if self.replica_seconds else None

    @property
    def per_million(self) -> float | None:
        """What a million tokens cost; None without tokens."""
        if self.cost_per_hour is None or not self.tokens_per_second:
            return None
        return cost_per_million(self.cost_per_hour, self.tokens_per_second)


def cost_per_million(cost_per_hour: float, tokens_per_second: float) -> float:
    """Returns the cost of an hour over the millions of tokens of an hour."""
    return cost_per_hour / (tokens_per_second * _HOUR_SECONDS / _MILLION)


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Other accelerators, or the same ones better used."""

    price_per_hour: float | None = None
    """Of one accelerator; None keeps what was paid."""
    utilisation: float | None = None
    """None keeps what was measured."""
    speed: float = 1.0
    """Tokens per second while busy, in those of now."""

    def per_million(self, paid: Paid) -> float | None:
        """Returns what a million tokens of that work would cost; None where nothing was busy."""
        if not (paid.busy_seconds and paid.tokens and paid.replica_seconds):
            return None
        gpus = paid.gpu_seconds / paid.replica_seconds
        hour = paid.cost_per_hour if self.price_per_hour is None else self.price_per_hour * gpus
        share = paid.utilisation if self.utilisation is None else self.utilisation
        return cost_per_million(hour or 0.0, paid.tokens / paid.busy_seconds * self.speed * (share or 0.0))


def explained(paid: Paid, currency: str) -> list[str]:
    """Returns the arithmetic of a million tokens, a line a step."""
    if paid.per_million is None:
        return ["no tokens, so no cost of a million of them"]
    hours, tokens = paid.replica_seconds / _HOUR_SECONDS, paid.tokens
    hourly, pace = paid.cost_per_hour or 0.0, paid.tokens_per_second or 0.0
    per_hour = f"{paid.cost:,.4f} {currency} / {hours:,.4f} replica hours = {hourly:,.4f} {currency}/h"
    return [
        f"cost of an hour    {per_hour}",
        f"tokens per second  {tokens:,} / {paid.replica_seconds:,.0f} replica seconds = {pace:,.4f}",
        (
            f"per million        {hourly:,.4f} / ({pace:,.4f} x 3600 / 1000000)"
            f" = {paid.per_million:,.4f} {currency}"
        ),
    ]
