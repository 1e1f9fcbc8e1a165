"""A request's class is the header's or the tier's, and nothing of a wrong header is told."""

import pytest

from services.edge.domain.generation import Priority
from services.edge.domain.openai.priority import PRIORITY_HEADER, priority_for, tier_of
from services.kernel.errors import ComptoirError, Reason


@pytest.mark.parametrize(
    ("tier", "priority"),
    [
        (None, Priority.DEFAULT),
        ("auto", Priority.DEFAULT),
        ("default", Priority.DEFAULT),
        ("scale", Priority.DEFAULT),
        ("flex", Priority.BATCH),
        ("priority", Priority.INTERACTIVE),
        ("fast", Priority.INTERACTIVE),
        ("ultrafast", Priority.INTERACTIVE),
    ],
)
def test_a_tier_is_a_class(tier: str | None, priority: Priority) -> None:
    assert priority_for([], tier) is priority


@pytest.mark.parametrize("priority", Priority)
def test_a_header_names_the_class_and_prevails(priority: Priority) -> None:
    assert priority_for([f" {priority.value.title()}".encode()], "flex") is priority


@pytest.mark.parametrize("values", [[b"geheim"], [b""], [b"batch", b"batch"]])
def test_a_header_that_names_none_is_refused_by_its_name(values: list[bytes]) -> None:
    with pytest.raises(ComptoirError) as refusal:
        priority_for(values, None)
    assert (refusal.value.reason, refusal.value.field) == (Reason.REQUEST_INVALID, PRIORITY_HEADER)


def test_every_class_is_a_tier_that_sdks_know() -> None:
    assert {tier_of(priority) for priority in Priority} == {"priority", "default", "flex"}
