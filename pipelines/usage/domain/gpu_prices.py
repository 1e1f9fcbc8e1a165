"""What accelerators cost: prices by GPU class as they are declared, and what a store has to be told of them.

The store forgets no price: each holds from its moment until the next one of its class, so that an old day
keeps what it cost.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

_NANOS: Final = 1_000_000_000
# A class that never had a price has had the first one all along: nothing else is known of its past.
BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
# The store counts seconds in 32 bits.
_END: Final = datetime(2106, 1, 1, tzinfo=UTC)


class GpuPrice(BaseModel):
    """What one accelerator of a class costs in an hour."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gpu_class: int = Field(
        ge=0,
        le=65_535,
        description="the class, as replicas say it (`generator.gpu_class`); 0: of those that say none",
    )
    name: str = Field(
        default="",
        max_length=32,
        pattern=r"^([a-z0-9][a-z0-9.-]*)?$",
        description="its name in reports, such as `l40s`; empty: its number",
    )
    price_per_hour: float = Field(
        ge=0,
        le=1_000_000,
        allow_inf_nan=False,
        description="of one accelerator, in `catalog.currency`; charged by the second",
    )
    since: AwareDatetime | None = Field(
        default=None,
        description="when it began, with its offset from UTC; left out: when the pipeline first read it, or "
        "ever, where the class had no price. Prices of before stay in the store",
    )

    @field_validator("since")
    @classmethod
    def _the_store_has_such_a_second(cls, since: datetime | None) -> datetime | None:
        if since is None:
            return None
        if not BEGINNING <= since < _END:
            raise ValueError("since is from 1970 on and before 2106")
        return since.astimezone(UTC).replace(microsecond=0)


class PriceRow(NamedTuple):
    """A price as the store has it: in billionths of the currency's unit, from a moment on."""

    gpu_class: int
    name: str
    nanos_per_hour: int
    currency: str
    since: datetime


def check_declared(prices: Sequence[GpuPrice]) -> None:
    """Raises ValueError where a class has two prices for a moment, or one without a moment beside others."""
    moments: dict[int, list[datetime | None]] = {}
    for price in prices:
        moments.setdefault(price.gpu_class, []).append(price.since)
    for gpu_class, of_class in moments.items():
        if len(of_class) > 1 and None in of_class:
            raise ValueError(f"gpu_class {gpu_class} has several prices, so each needs its `since`")
        if len(set(of_class)) < len(of_class):
            raise ValueError(f"gpu_class {gpu_class} has two prices since one moment")


def rows_to_add(
    declared: Sequence[GpuPrice], stored: Sequence[PriceRow], now: datetime, currency: str
) -> tuple[PriceRow, ...]:
    """Returns what is declared and not in the store yet; `stored` has one row per class and moment."""
    added = (_row_to_add(price, stored, now, currency) for price in declared)
    return tuple(row for row in added if row is not None)


def _row_to_add(price: GpuPrice, stored: Sequence[PriceRow], now: datetime, currency: str) -> PriceRow | None:
    of_class = [row for row in stored if row.gpu_class == price.gpu_class]
    if price.since is None:
        in_force = max((row for row in of_class if row.since <= now), key=lambda row: row.since, default=None)
        since = now if of_class else BEGINNING
    else:
        since = price.since
        in_force = next((row for row in of_class if row.since == since), None)
    row = PriceRow(price.gpu_class, price.name, round(price.price_per_hour * _NANOS), currency, since)
    # Whoever starts again adds nothing; a correction of the same moment is a row that was written later.
    is_known = in_force is not None and row._replace(since=in_force.since) == in_force
    return None if is_known else row
