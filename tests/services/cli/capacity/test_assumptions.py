"""What a plan takes for granted is bounded, and says what follows from it."""

import pytest
from pydantic import ValidationError

from services.cli.capacity.assumptions import Assumptions


def test_requests_and_replicas_follow_from_streams() -> None:
    assumed = Assumptions(streams=1_001, tokens_per_second=50, output_tokens=200, streams_per_replica=100)
    assert assumed.requests_per_second == pytest.approx(250.25)
    assert assumed.replicas == 11
    assert assumed.requests_per_replica == pytest.approx(25)


@pytest.mark.parametrize(
    "wrong", [{"streams": 0}, {"utilization": 1.1}, {"core_speed": float("inf")}, {"unknown": 1}]
)
def test_what_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Assumptions.model_validate(wrong)
