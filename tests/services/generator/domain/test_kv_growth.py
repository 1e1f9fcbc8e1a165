"""What requests will need at once: against a count of every step to come, and far from the sum of all."""

from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.kv_growth import Filling, filling_of, most_growth

FILLINGS = st.lists(st.builds(Filling, st.integers(0, 40), st.integers(0, 40)), max_size=12)


def counted(fillings: list[Filling]) -> int:
    """Lets all grow by a block a step; each gives its blocks back once it has what was expected."""

    def used(step: int) -> int:
        return sum(
            one.blocks + (step if one.growth_blocks else 0)
            for one in fillings
            if not one.growth_blocks or step <= one.growth_blocks
        )

    return max(map(used, range(41))) - used(0)


@given(FILLINGS)
def test_it_is_the_most_of_all_steps_to_come(fillings: list[Filling]) -> None:
    assert most_growth(fillings) == counted(fillings)


@given(FILLINGS, st.builds(Filling, st.integers(0, 40), st.integers(0, 40)))
def test_it_is_never_more_than_all_grow_together_and_a_further_one_frees_nothing(
    fillings: list[Filling], further: Filling
) -> None:
    before, after = most_growth(fillings), most_growth([*fillings, further])
    assert 0 <= before <= sum(one.growth_blocks for one in fillings)
    present = sum(one.blocks for one in fillings)
    assert present + before <= present + further.blocks + after


def test_those_that_began_together_need_all_of_it_and_those_of_every_age_next_to_nothing() -> None:
    assert most_growth([]) == 0
    assert most_growth([Filling(2, 10)] * 8) == 80
    assert most_growth([Filling(2 + age, 10 - age) for age in range(1, 10)]) <= 9
    assert most_growth([Filling(50, 0), Filling(2, 10)]) == 10


@given(st.integers(0, 10_000), st.integers(1, 50_000), st.integers(0, 50_000), st.integers(1, 128))
def test_what_is_filled_and_what_is_to_come_are_what_was_predicted_or_more(
    predicted: int, input_tokens: int, output_tokens: int, block_tokens: int
) -> None:
    one = filling_of(
        predicted, input_tokens=input_tokens, output_tokens=output_tokens, block_tokens=block_tokens
    )
    assert one.blocks == -(-(input_tokens + output_tokens) // block_tokens)
    assert one.blocks + one.growth_blocks == max(predicted, one.blocks)


def test_an_answer_to_a_prompt_of_unknown_length_is_not_expected_to_grow() -> None:
    assert filling_of(9, input_tokens=0, output_tokens=0, block_tokens=16) == Filling(0, 9)
    assert filling_of(9, input_tokens=0, output_tokens=1, block_tokens=16) == Filling(1, 0)
    assert filling_of(9, input_tokens=5, output_tokens=0, block_tokens=0) == Filling(0, 0)
