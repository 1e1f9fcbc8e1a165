"""Tells refusals of money in the catalog's currency, which quotas and what lends of them know nothing of."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from services.kernel.errors import ComptoirError, Reason


@contextmanager
def in_currency(currency: str) -> Iterator[None]:
    """Has every refusal that leaves the block, and whose limit is one of money, say its currency."""
    try:
        yield
    except ComptoirError as refusal:
        if Reason.BUDGET_EXHAUSTED in {refusal.reason, refusal.numbers.limited_by}:
            refusal.numbers = replace(refusal.numbers, currency=currency)
        raise
