"""Whatever a client sends as a completion is served, or refused by a name and in no words of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.generation import GenerationRequest
from services.edge.domain.openai.completions.body import MAX_PROMPTS, CompletionBody
from services.edge.domain.openai.completions.parameters import COMPLETION_NEUTRAL
from services.edge.domain.openai.completions.request import parse_completion
from services.edge.domain.openai.parameters import IGNORED
from services.edge.domain.openai.public_names import name_for
from services.edge.domain.timeline import Endpoint
from services.kernel.errors import ComptoirError, Reason
from tests.services.edge.domain.openai.chat.chats import JSON
from tests.services.edge.domain.openai.completions.completions import COMPLETION, refusal

IDS = st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=20)


def only(**changes: Any) -> GenerationRequest:
    (generation,) = parse_completion(COMPLETION | changes).generations
    return generation


def prompts(prompt: Any) -> list[Any]:
    return [generation.prompt for generation in parse_completion(COMPLETION | {"prompt": prompt}).generations]


def test_a_plain_completion_is_its_prompt_and_sixteen_tokens() -> None:
    assert only() == GenerationRequest(
        "tiny-eu", (), max_output_tokens=16, prompt="Il était", endpoint=Endpoint.COMPLETIONS
    )


def test_several_prompts_are_numbered_and_one_is_not() -> None:
    parts = [each.part for each in parse_completion(COMPLETION | {"prompt": ["a", "b", "c"]}).generations]
    assert parts == [1, 2, 3]
    assert only(prompt=["a"]).part == 0


@given(st.text())
def test_a_string_is_a_prompt(text: str) -> None:
    assert prompts(text) == [text]


@given(st.lists(st.text(), min_size=1, max_size=MAX_PROMPTS))
def test_strings_are_prompts_in_their_order(texts: list[str]) -> None:
    assert prompts(texts) == texts


@given(IDS)
def test_token_ids_are_one_prompt(ids: list[int]) -> None:
    assert prompts(ids) == [tuple(ids)]


@given(st.lists(IDS, min_size=1, max_size=MAX_PROMPTS))
def test_lists_of_token_ids_are_prompts_in_their_order(lists: list[list[int]]) -> None:
    assert prompts(lists) == [tuple(ids) for ids in lists]


@pytest.mark.parametrize(
    "prompt",
    [
        None,
        [],
        [[]],
        [[1], []],
        ["a", 1],
        ["a", [1]],
        [1, [1]],
        [-1],
        [2**31],
        [1.5],
        [True],
        [[True]],
        [["a"]],
        [[[1]]],
        [None],
        {"text": "a"},
        7,
        ["a"] * (MAX_PROMPTS + 1),
        [[1]] * (MAX_PROMPTS + 1),
    ],
)
def test_what_is_no_prompt_is_refused_by_name(prompt: object) -> None:
    error = refusal(prompt=prompt)
    assert (error.reason, error.field) == (Reason.REQUEST_INVALID, "prompt")


def test_every_prompt_is_asked_the_same() -> None:
    completion = parse_completion(
        COMPLETION
        | {"prompt": ["a", "b"], "n": 2, "seed": 3, "echo": True, "stream": True, "max_tokens": 5}
        | {"stream_options": {"include_usage": True}}
    )
    assert completion.includes_usage
    for generation in completion.generations:
        assert (generation.choices, generation.sampling) == (2, {"n": 2, "seed": 3})
        assert generation.is_prompt_echoed
        assert generation.is_streamed
        assert generation.max_output_tokens == 5


@pytest.mark.parametrize(("sent", "asked"), [(None, 16), (1, 1), (-1, 0), (100.0, 100), (10**9, 1_048_576)])
def test_the_most_tokens_are_openais_sixteen_unless_another_number_is_sent(sent: object, asked: int) -> None:
    assert only(max_tokens=sent).max_output_tokens == asked


@pytest.mark.parametrize("sent", [0, -2, "5", True])
def test_a_number_that_is_no_limit_is_refused(sent: object) -> None:
    assert refusal(max_tokens=sent).field == "max_tokens"


@pytest.mark.parametrize("likeliest", [0, 5])
def test_logprobs_are_a_number(likeliest: int) -> None:
    assert only(logprobs=likeliest).sampling == {"logprobs": likeliest}


@pytest.mark.parametrize("sent", [6, -1, True, "1"])
def test_logprobs_are_at_most_five(sent: object) -> None:
    assert refusal(logprobs=sent).field == "logprobs"


def test_the_probabilities_of_an_echo_are_refused_by_name() -> None:
    error = refusal(echo=True, logprobs=0)
    assert (error.reason, error.field) == (Reason.PARAMETER_UNSUPPORTED, "echo")
    assert only(echo=False, logprobs=0) == only(logprobs=0)


@pytest.mark.parametrize(("best_of", "n"), [(1, 1), (1, None), (3, 3), (None, 3), (1, 3)])
def test_the_best_of_as_many_as_are_asked_for_are_all(best_of: object, n: object) -> None:
    assert only(best_of=best_of, n=n) == only(n=n)


@pytest.mark.parametrize(("best_of", "n"), [(2, 1), (2, None), (4, 3)])
def test_the_best_of_more_is_refused_by_name(best_of: object, n: object) -> None:
    error = refusal(best_of=best_of, n=n)
    assert (error.reason, error.field) == (Reason.PARAMETER_UNSUPPORTED, "best_of")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("suffix", "fin"),
        ("messages", [{"role": "user", "content": "x"}]),
        ("add_special_tokens", False),
        ("response_format", {"type": "json_object"}),
        ("max_completion_tokens", 5),
        ("top_logprobs", 2),
        ("prompt_logprobs", 1),
        ("tools", [{}]),
    ],
)
def test_what_is_known_and_not_served_is_named(name: str, value: object) -> None:
    error = refusal(**{name: value})
    assert (error.reason, error.field) == (Reason.PARAMETER_UNSUPPORTED, name)


@pytest.mark.parametrize("name", COMPLETION_NEUTRAL)
def test_what_changes_nothing_is_no_reason_to_refuse(name: str) -> None:
    for value in (None, *COMPLETION_NEUTRAL[name].values):
        assert parse_completion(COMPLETION | {name: value}) == parse_completion(COMPLETION)


def test_nulls_everywhere_are_a_plain_completion() -> None:
    body = dict.fromkeys([*CompletionBody.__struct_fields__, *IGNORED, *COMPLETION_NEUTRAL])
    assert parse_completion(body | COMPLETION) == parse_completion(COMPLETION)


@pytest.mark.parametrize("value", [None, [], "x", 1, {}, {"model": "tiny-eu"}])
def test_what_is_no_completion_is_refused(value: object) -> None:
    with pytest.raises(ComptoirError) as raised:
        parse_completion(value)
    assert raised.value.reason is Reason.REQUEST_INVALID


@given(name=st.sampled_from([*CompletionBody.__struct_fields__, *COMPLETION_NEUTRAL]), value=JSON)
def test_a_known_field_of_any_value_is_served_or_refused_by_a_public_name(name: str, value: object) -> None:
    try:
        parse_completion(COMPLETION | {name: value})
    except ComptoirError as error:
        assert error.reason in (Reason.REQUEST_INVALID, Reason.PARAMETER_UNSUPPORTED)  # noqa: PT017
        assert name_for(error, Endpoint.COMPLETIONS) == error.field  # noqa: PT017
