"""Limits of keys and tenants, as the command line and declarations write them and as people read them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final

import typer
from comptoir.router.v1 import admin_pb2
from rich.console import Console

# What the router's messages can hold.
MOST: Final = 2**32 - 1
_MOST_OF_MONTHS: Final = 2**48 - 1
_MOST_CENTS: Final = 899_999_999
_NANOS: Final = 10**9
_CENTS: Final = 100
# How a limit is told, by its name in the schema.
_UNITS: Final = {
    "requests_per_minute": "requests/min",
    "tokens_per_minute": "tokens/min",
    "concurrency": "at once",
    "tokens_per_day": "tokens/day",
    "tokens_per_month": "tokens/month",
}
# What people write money as, and what the schema has for it.
MONEY: Final = "money_per_month"
_MONEY_FIELD: Final = "money_per_month_cents"
_BOUNDS: Final = {
    **dict.fromkeys(_UNITS, MOST),
    "tokens_per_day": _MOST_OF_MONTHS,
    "tokens_per_month": _MOST_OF_MONTHS,
    MONEY: _MOST_CENTS,
}
NAMES: Final = tuple(_BOUNDS)
Limits = Mapping[str, int | Decimal | None]


def _money(text: str) -> Decimal:
    """Returns an amount of an option; ValueError says what one is."""
    try:
        amount = Decimal(text)
        cents_of(amount)
    except (InvalidOperation, ValueError):
        raise typer.BadParameter("an amount such as 250.00, up to 8999999.99; 0 means no limit") from None
    return amount


Limit = Annotated[int | None, typer.Option(min=0, max=MOST, help="0 means no limit.")]
LongLimit = Annotated[
    int | None, typer.Option(min=0, max=_MOST_OF_MONTHS, help="By the calendar, in UTC; 0 means no limit.")
]
Budget = Annotated[
    Decimal | None,
    typer.Option(
        parser=_money, metavar="AMOUNT", help="Budget in the catalog's currency, such as 250.00; 0: none."
    ),
]


def cents_of(amount: Decimal) -> int:
    """Returns an amount in hundredths; ValueError where it is none of them, or more than a budget can be."""
    cents = amount * _CENTS
    if not amount.is_finite() or not 0 <= cents <= _MOST_CENTS or cents != int(cents):
        raise ValueError("not an amount in hundredths within its bound")
    return int(cents)


def is_named(limits: Limits) -> bool:
    """Tells whether there is a limit of any name."""
    return any(limit is not None for limit in limits.values())


def quota_of(limits: Limits, stored: admin_pb2.Quota | None = None) -> admin_pb2.Quota:
    """Returns `stored` with the limits that are named, by NAMES.

    ValueError for a name that is none of them, and for a limit that is no whole number within its bound.
    """
    quota = admin_pb2.Quota()
    if stored is not None:
        quota.CopyFrom(stored)
    for name, limit in limits.items():
        if limit is not None:
            setattr(quota, _MONEY_FIELD if name == MONEY else name, _number(name, Decimal(limit)))
    return quota


def _number(name: str, limit: Decimal) -> int:
    if name == MONEY:
        return cents_of(limit)
    if not limit.is_finite() or not 0 <= limit <= _BOUNDS.get(name, -1) or limit != int(limit):
        raise ValueError("not a limit with a whole number within its bound")
    return int(limit)


def limits_of(quota: admin_pb2.Quota, currency: str) -> list[str]:
    """Returns every limit that there is, with its unit."""
    limits = [f"{getattr(quota, name)} {unit}" for name, unit in _UNITS.items() if getattr(quota, name)]
    if quota.money_per_month_cents:
        limits.append(f"{_budget(quota)} {currency}/month")
    return limits


def unlimited_of(quota: admin_pb2.Quota) -> list[str]:
    """Returns the units of which there is no limit."""
    units = {**_UNITS, _MONEY_FIELD: "money/month"}
    return [unit for name, unit in units.items() if not getattr(quota, name)]


def spending_of(quota: admin_pb2.Quota, spending: admin_pb2.Spending) -> list[str]:
    """Returns what was used of every limit of a day or a month, and when it begins anew."""
    day_ends, month_ends = moment(spending.day_ends_seconds), moment(spending.month_ends_seconds)
    told = []
    if quota.tokens_per_day:
        told.append(f"{spending.tokens_of_day} of {quota.tokens_per_day} tokens of the day to {day_ends}")
    if quota.tokens_per_month:
        of_month = f"{spending.tokens_of_month} of {quota.tokens_per_month} tokens"
        told.append(f"{of_month} of the month to {month_ends}")
    if quota.money_per_month_cents:
        used = money(spending.money_of_month_nanos)
        told.append(f"{used} of {_budget(quota)} {spending.currency} of the month to {month_ends}")
    return told


def show_spending(
    quota: admin_pb2.Quota, answer: admin_pb2.GetKeyResponse | admin_pb2.GetTenantResponse
) -> None:
    """Prints what was used of the limits of days and months, if there are any."""
    if not (quota.tokens_per_day or quota.tokens_per_month or quota.money_per_month_cents):
        return
    if answer.HasField("spending"):
        for line in spending_of(quota, answer.spending):
            Console().out(f"Used {line}.", highlight=False)
    else:
        Console().out("What was used is not known: the store of quotas does not answer.", highlight=False)


def money(nanos: int) -> str:
    """Returns an amount with two digits after the point, or as many more as it has, of which six are told."""
    amount = Decimal(nanos) / _NANOS
    text = f"{amount:.6f}"
    return text[:-4] + text[-4:].rstrip("0")


def moment(seconds: int) -> str:
    """Returns a moment in UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _budget(quota: admin_pb2.Quota) -> str:
    return f"{Decimal(quota.money_per_month_cents) / _CENTS:.2f}"
