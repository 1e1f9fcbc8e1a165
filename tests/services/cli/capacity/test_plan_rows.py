"""Each part of a plan has a row, with its number and its reason."""

from services.cli.capacity.assumptions import Assumptions
from services.cli.capacity.plan_rows import rows_of
from services.cli.capacity.sizing import plan


def test_a_row_says_what_how_many_and_why() -> None:
    rows = {name: (number, why) for name, number, why in rows_of(plan(Assumptions(streams=100_000)))}
    assert rows["requests per second"][0] == "10,000"
    assert rows["routers"] == ("46", "two of each cell, of which one is asked")
    assert all(why for _, why in rows.values())
