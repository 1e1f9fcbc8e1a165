"""An answer is put together from its deltas, choice by choice and call by call."""

import random

from comptoir import client
from comptoir.client import Delta
from comptoir.client.answers import choices_of, messages_of
from comptoir.generator.v1.generator_pb2 import (
    Choice,
    Finished,
    GenerateWholeResponse,
    Started,
    TokenChoice,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
)
from hypothesis import given
from hypothesis import strategies as st

TEXTS = st.lists(st.text(max_size=4), min_size=1, max_size=3)


@given(
    st.lists(TEXTS, min_size=1, max_size=3), st.lists(TEXTS, max_size=3), st.randoms(use_true_random=False)
)
def test_interleaved_choices_come_apart_again(
    texts: list[list[str]], calls: list[list[str]], order: random.Random
) -> None:
    waiting = [[Delta(text=text, index=index) for text in each] for index, each in enumerate(texts)]
    for number, arguments in enumerate(calls):
        waiting[-1].append(
            Delta(index=len(texts) - 1, tool_call=ToolCallDelta(index=number, call_id=f"c{number}", name="f"))
        )
        waiting[-1] += [
            Delta(index=len(texts) - 1, tool_call=ToolCallDelta(index=number, arguments=text))
            for text in arguments
        ]
    deltas = []
    while any(waiting):
        deltas.append(order.choice([each for each in waiting if each]).pop(0))
    choices = choices_of(deltas)
    assert [choice.text for choice in choices] == ["".join(each) for each in texts]
    assert [(call.call_id, call.name, call.arguments) for call in choices[-1].tool_calls] == [
        (f"c{number}", "f", "".join(arguments)) for number, arguments in enumerate(calls)
    ]


def test_an_answer_that_says_nothing_has_one_choice() -> None:
    (choice,) = choices_of([])
    assert (choice.text, choice.tool_calls) == ("", ())


CALLS = st.builds(
    ToolCall, call_id=st.text(max_size=3), name=st.text(max_size=3), arguments=st.text(max_size=3)
)
TOKENS = st.builds(TokenChoice, chosen=st.builds(TokenLogprob, token_id=st.integers(0, 9)))
CHOICES = st.builds(
    Choice,
    text=st.text(max_size=5),
    reasoning=st.text(max_size=5),
    tool_calls=st.lists(CALLS, max_size=2),
    tokens=st.lists(TOKENS, max_size=2),
    token_ids=st.lists(st.integers(0, 2**32 - 1), max_size=3),
)


@given(st.lists(CHOICES, min_size=1, max_size=3))
def test_a_whole_answer_reads_as_the_stream_that_says_the_same(choices: list[Choice]) -> None:
    whole = GenerateWholeResponse(started=Started(), choices=choices, finished=Finished(output_tokens=2))
    first, *middle, last = messages_of(whole)
    assert (first.HasField("started"), last.finished) == (True, whole.finished)
    read = choices_of([message.delta for message in middle])
    assert read == tuple(
        client.Choice(
            each.text,
            tuple(each.tool_calls),
            tuple(each.tokens),
            tuple(each.token_ids),
            each.reasoning,
        )
        for each in choices
    )


def test_what_a_whole_answer_lacks_is_not_made_up() -> None:
    assert list(messages_of(GenerateWholeResponse())) == []
