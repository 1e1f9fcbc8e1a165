"""Inputs that are to have vectors are read in steps, and those that are too long by their lengths alone."""

import pytest
from comptoir.generator.v1 import generator_pb2
from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.prompt import Chat, Text, TokenIds
from services.generator.wire.orders import IDS_PER_STEP, countable_steps, inputs_steps, prompt_steps
from services.kernel.steps import finished

MANY = 1_000_000


def request(*inputs: list[int] | str) -> generator_pb2.EmbedRequest:
    return generator_pb2.EmbedRequest(
        inputs=[
            generator_pb2.EmbedInput(text=each)
            if isinstance(each, str)
            else generator_pb2.EmbedInput(token_ids=generator_pb2.TokenIds(ids=each))
            for each in inputs
        ]
    )


def read(asked: generator_pb2.EmbedRequest, **limits: int) -> tuple[list[Text | TokenIds], int]:
    """The inputs, and in how many steps they were read."""
    steps, count = inputs_steps(asked, **{"context_tokens": MANY, "max_tokens": MANY, **limits}), 1
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value, count
        count += 1


@pytest.mark.parametrize("name", generator_pb2.ReasoningEffort.keys())
def test_every_effort_has_the_name_that_the_catalog_has_for_it(name: str) -> None:
    options = generator_pb2.TemplateOptions(reasoning_effort=generator_pb2.ReasoningEffort.Value(name))
    prompt = finished(prompt_steps(generator_pb2.GenerateRequest(template=options), most_ids=0))
    assert isinstance(prompt, Chat)
    said = name.removeprefix("REASONING_EFFORT_").lower()
    assert prompt.options.effort == ("" if said == "unspecified" else said)


@given(inputs=st.lists(st.text(max_size=9) | st.lists(st.integers(0, 2**32 - 1), max_size=200), max_size=200))
def test_inputs_are_what_the_message_says(inputs: list[list[int] | str]) -> None:
    expected = [Text(each) if isinstance(each, str) else TokenIds(tuple(each)) for each in inputs]
    assert finished(inputs_steps(request(*inputs), context_tokens=MANY, max_tokens=MANY)) == expected


@pytest.mark.parametrize(
    "lengths", [[MANY], [64] * 2048, [4096] * 128, [1] * 2048], ids=["one", "2048", "128", "tiny"]
)
def test_no_step_reads_more_than_some_thousand_ids(lengths: list[int]) -> None:
    found, steps = read(request(*([7] * length for length in lengths)))
    assert [len(each.ids) for each in found if isinstance(each, TokenIds)] == lengths
    assert steps >= max(sum(lengths) // IDS_PER_STEP, len(lengths) // 64)


@pytest.mark.parametrize("limits", [{"context_tokens": MANY - 1}, {"max_tokens": MANY - 1}])
def test_ids_that_are_too_many_are_not_gone_through(limits: dict[str, int]) -> None:
    asked = request([7], [7] * (MANY - 1), [7])
    found, steps = read(request([7] * MANY, "a"), **limits)
    assert steps == 1
    assert isinstance(found[0], TokenIds)
    assert not isinstance(found[0].ids, tuple)
    assert len(found[0].ids) == MANY
    found, _ = read(asked, max_tokens=5)
    assert [isinstance(each.ids, tuple) for each in found if isinstance(each, TokenIds)] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("most_ids", [MANY, MANY - 1])
def test_a_prompt_of_ids_is_read_in_steps_and_one_that_is_too_long_by_its_length(most_ids: int) -> None:
    ids = generator_pb2.TokenIds(ids=[7] * MANY)
    asked = generator_pb2.GenerateRequest(prompt=generator_pb2.Prompt(token_ids=ids))
    steps, count = prompt_steps(asked, most_ids=most_ids), 1
    while True:
        try:
            next(steps)
        except StopIteration as end:
            prompt = end.value
            break
        count += 1
    assert len(prompt.ids) == MANY
    assert isinstance(prompt.ids, tuple) == (most_ids == MANY)
    assert count >= MANY // IDS_PER_STEP if most_ids == MANY else count == 1


def test_a_long_chat_is_read_in_steps() -> None:
    message = generator_pb2.ChatMessage(role=generator_pb2.ROLE_USER, parts=["Bonjour"] * 3)
    chat = generator_pb2.GenerateRequest(messages=[message] * 1024)
    counted = generator_pb2.CountTokensRequest(messages=[message] * 1024)
    for steps in (prompt_steps(chat, most_ids=0), countable_steps(counted)):
        assert len(list(steps)) == 16
