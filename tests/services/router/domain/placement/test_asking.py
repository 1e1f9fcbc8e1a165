"""What a policy knows of a request are bounds, from which it expects less."""

from services.router.domain.placement.asking import expected_input_tokens


def test_a_prompt_is_expected_to_have_a_quarter_of_its_bound_which_is_in_bytes() -> None:
    assert [expected_input_tokens(bound) for bound in (0, 1, 4, 5, 4096)] == [0, 1, 1, 2, 1024]
