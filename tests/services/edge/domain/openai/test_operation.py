"""What an endpoint's description says follows from its errors."""

import pytest

from services.edge.domain.openai.operation import GENERATION_STATUSES, MODEL_STATUSES, Operation


@pytest.mark.parametrize(
    ("statuses", "needs_key"),
    [(MODEL_STATUSES, True), (GENERATION_STATUSES, True), ((), False), ((500,), False)],
)
def test_what_can_refuse_a_key_asks_for_one(statuses: tuple[int, ...], *, needs_key: bool) -> None:
    assert Operation("list", "Lists.", statuses=statuses).needs_key is needs_key
