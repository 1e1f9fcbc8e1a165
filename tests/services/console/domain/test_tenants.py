"""Tenants by what they used of the month, and of the budget that is used most."""

from services.console.domain.tenants import MOST_ROWS, Tenant, Tenants


def test_the_budget_that_is_used_most_is_the_one_shown() -> None:
    tenant = Tenant(
        "acme",
        tokens_of_day=50,
        tokens_per_day=100,
        money_of_month_nanos=9_000_000_000,
        money_per_month_cents=1_000,
    )
    assert tenant.used == 0.9
    assert Tenant("free", tokens_of_day=50).used is None


def test_those_that_used_most_have_rows_and_all_have_the_sum() -> None:
    many = tuple(
        Tenant(f"t{number}", tokens_of_day=1, tokens_of_month=number) for number in range(MOST_ROWS + 2)
    )
    found = Tenants(many)
    assert (found.rows[0].name, len(found.rows), found.others) == (f"t{MOST_ROWS + 1}", MOST_ROWS, 2)
    assert found.sum.tokens_of_day == MOST_ROWS + 2
    assert Tenants(()).others == 0
