"""Input that breaks a rule is told by place and rule, and is not repeated."""

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from services.cli.problems import first_problem


class Pair(BaseModel):
    model_config = ConfigDict(extra="forbid")

    low: int
    high: int

    @model_validator(mode="after")
    def _ordered(self) -> "Pair":
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"low": 1, "high": "secret"}, "high: Input should be a valid integer"),
        ({"low": 2, "high": 1}, "the pair: low is above high."),
    ],
)
def test_a_problem_says_where_and_which_rule_and_not_what_was_written(
    given: dict[str, object], told: str
) -> None:
    with pytest.raises(ValidationError) as invalid:
        Pair.model_validate(given)
    said = first_problem(invalid.value, "the pair")
    assert said.startswith(told)
    assert "secret" not in said
