import itertools

from hypothesis import given
from hypothesis import strategies as st

from services.generator.adapters.simulated.text import (
    END_OF_TURN,
    TextStream,
    answer_ids,
    detokenize,
    digest_steps,
    tokenize,
)
from services.generator.domain.prompt import Chat, ChatTurn, Role, Text
from services.generator.domain.sampling import Sampling
from services.kernel.steps import finished

TEXTS = st.text(max_size=60)
STOPS = st.lists(st.text(min_size=1, max_size=5), max_size=4)


def stream(text: str, stop: list[str]) -> tuple[str, bool]:
    pushed, stream = "", TextStream(stop)
    ids = [*text.encode(), END_OF_TURN]
    for index, token_id in enumerate(ids):
        pushed += stream.push(token_id, is_last=index == len(ids) - 1)
        if stream.is_stopped:
            return pushed, True
    return pushed, False


@given(TEXTS)
def test_without_stop_strings_everything_comes_out(text: str) -> None:
    assert stream(text, []) == (text, False)


@given(TEXTS, STOPS)
def test_with_stop_strings_the_text_before_the_first_one_comes_out(text: str, stop: list[str]) -> None:
    pushed, is_stopped = stream(text, stop)
    assert is_stopped == any(string in text for string in stop)
    assert text.startswith(pushed)
    assert not any(string in pushed for string in stop)
    if not is_stopped:
        assert pushed == text


@given(TEXTS)
def test_text_is_bytes_between_control_tokens(text: str) -> None:
    ids = tokenize(Chat([ChatTurn(Role.USER, text)]))
    assert detokenize(ids) == text
    assert ids[1:-2] == tokenize(Text(text))
    assert bytes(token_id for token_id in ids if token_id < END_OF_TURN).decode() == text
    assert len([token_id for token_id in ids if token_id >= END_OF_TURN]) == 3


def test_every_role_has_its_place_in_a_prompt() -> None:
    for role in Role:
        assert detokenize(tokenize(Chat([ChatTurn(role, "said")]))) == "said"


def first_ids(input_ids: list[int], tokens: int) -> list[int]:
    return list(
        itertools.islice(
            answer_ids(input_ids, finished(digest_steps(input_ids)), None, tokens, Sampling()), tokens
        )
    )


@given(st.lists(st.integers(0, 259), min_size=1, max_size=30), st.integers(1, 500))
def test_an_answer_has_its_length_and_ends(input_ids: list[int], tokens: int) -> None:
    ids = first_ids(input_ids, tokens)
    assert ids[-1] == END_OF_TURN
    assert END_OF_TURN not in ids[:-1]
    assert ids == first_ids(input_ids, tokens)
