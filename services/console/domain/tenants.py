"""What tenants used of the day and of the month, beside what they may."""

from dataclasses import dataclass
from typing import Final

# More rows nobody reads; the others are one.
MOST_ROWS: Final = 25
_NANOS_OF_A_CENT: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Tenant:
    """One tenant; limits are 0 where there is none, money is in billionths of the currency's unit."""

    name: str
    is_disabled: bool = False
    tokens_of_day: int = 0
    tokens_of_month: int = 0
    money_of_month_nanos: int = 0
    tokens_per_day: int = 0
    tokens_per_month: int = 0
    money_per_month_cents: int = 0

    @property
    def used(self) -> float | None:
        """The share of the budget that is used most; None where there is no budget."""
        shares = [
            used / limit
            for used, limit in (
                (self.tokens_of_day, self.tokens_per_day),
                (self.tokens_of_month, self.tokens_per_month),
                (self.money_of_month_nanos, self.money_per_month_cents * _NANOS_OF_A_CENT),
            )
            if limit
        ]
        return max(shares, default=None)


@dataclass(frozen=True, slots=True)
class Tenants:
    """All that were told of; `is_whole` is False where there are more."""

    tenants: tuple[Tenant, ...]
    currency: str = ""
    is_known: bool = True
    is_whole: bool = True

    @property
    def rows(self) -> tuple[Tenant, ...]:
        """Those that used most of the month, most first."""
        order = sorted(
            self.tenants, key=lambda one: (-one.money_of_month_nanos, -one.tokens_of_month, one.name)
        )
        return tuple(order[:MOST_ROWS])

    @property
    def others(self) -> int:
        """How many have no row."""
        return max(0, len(self.tenants) - MOST_ROWS)

    @property
    def sum(self) -> Tenant:
        """What all of them used together."""
        return Tenant(
            name="",
            tokens_of_day=sum(one.tokens_of_day for one in self.tenants),
            tokens_of_month=sum(one.tokens_of_month for one in self.tenants),
            money_of_month_nanos=sum(one.money_of_month_nanos for one in self.tenants),
        )
