from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.engine_parameters import VllmParameters

TOKENS = st.integers(min_value=1, max_value=2**31)


@given(
    context_tokens=TOKENS,
    told=st.fixed_dictionaries({"max_running_requests": TOKENS, "max_batched_tokens": TOKENS | st.just(0)}),
)
def test_the_longest_prompt_fits_one_step_beside_a_full_batch(
    context_tokens: int, told: dict[str, Any]
) -> None:
    parameters = VllmParameters.model_validate(told)
    tokens = parameters.whole_prefill_tokens(context_tokens)
    assert tokens >= context_tokens + parameters.max_running_requests
    assert tokens >= parameters.max_batched_tokens
