"""What is tried out becomes a streamed chat, within bounds."""

import pytest
from pydantic import ValidationError

from services.console.domain.trial import MOST_PROMPT_CHARACTERS, Trial


def test_a_trial_asks_for_a_stream_with_its_counts() -> None:
    chat = Trial(model="f3", prompt="Bonjour", max_output_tokens=8).chat()
    assert chat["messages"] == [{"role": "user", "content": "Bonjour"}]
    assert (chat["stream"], chat["stream_options"]) == (True, {"include_usage": True})
    assert chat["max_completion_tokens"] == 8


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": ""},
        {"prompt": "x" * (MOST_PROMPT_CHARACTERS + 1)},
        {"model": ""},
        {"max_output_tokens": 0},
        {"system": "more"},
    ],
)
def test_what_is_out_of_bounds_is_no_trial(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Trial.model_validate({"model": "f3", "prompt": "Bonjour", **fields})


def test_no_error_and_no_representation_has_the_prompt() -> None:
    trial = Trial(model="f3", prompt="canary")
    assert "canary" not in repr(trial)
    with pytest.raises(ValidationError) as failure:
        Trial.model_validate({"model": 5, "prompt": "canary"})
    assert "canary" not in str(failure.value)
