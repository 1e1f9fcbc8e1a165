"""A chat template is told words and numbers that the catalog names, and nothing else."""

import pytest
from pydantic import ValidationError

from services.kernel.chat_templates import EffortMeaning


@pytest.mark.parametrize("value", [True, 3, "fr"])
def test_an_argument_keeps_the_type_that_was_written(value: bool | int | str) -> None:
    (told,) = EffortMeaning(template_arguments={"language": value}).template_arguments.values()
    assert (type(told), told) == (type(value), value)


@pytest.mark.parametrize(
    "arguments",
    [{"language": 1.5}, {"language": ["fr"]}, {"language": "x" * 257}, {"Language": "fr"}, {"": 1}],
)
def test_what_is_no_short_word_number_or_switch_with_a_name_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        EffortMeaning.model_validate({"template_arguments": arguments})


def test_a_budget_of_reasoning_is_bounded() -> None:
    assert EffortMeaning().thinking_token_budget is None
    for budget in (-1, 2**20 + 1):
        with pytest.raises(ValidationError):
            EffortMeaning(thinking_token_budget=budget)
