"""Money is told in the catalog's currency, and nothing else is."""

import pytest

from services.kernel.errors import ComptoirError, Numbers, Reason
from services.router.domain.currency import in_currency


@pytest.mark.parametrize(
    ("reason", "limited_by", "told"),
    [
        (Reason.BUDGET_EXHAUSTED, Reason.UNSPECIFIED, "CHF"),
        (Reason.QUOTA_TOO_SMALL, Reason.BUDGET_EXHAUSTED, "CHF"),
        (Reason.QUOTA_TOO_SMALL, Reason.DAY_TOKENS_EXHAUSTED, ""),
        (Reason.MONTH_TOKENS_EXHAUSTED, Reason.UNSPECIFIED, ""),
        (Reason.NO_REPLICA, Reason.UNSPECIFIED, ""),
    ],
)
def test_a_limit_of_money_says_its_currency(reason: Reason, limited_by: Reason, told: str) -> None:
    refusal = ComptoirError(reason, numbers=Numbers(5, 6, limited_by=limited_by))
    with pytest.raises(ComptoirError) as raised, in_currency("CHF"):
        raise refusal
    assert raised.value is refusal
    assert refusal.numbers == Numbers(5, 6, limited_by=limited_by, currency=told)
