"""An answer is put together from its deltas, choice by choice and call by call."""

import random

from comptoir.client import Delta
from comptoir.client.answers import choices_of
from comptoir.generator.v1.generator_pb2 import ToolCallDelta
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
