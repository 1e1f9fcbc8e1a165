"""A stream of a completion says what the whole answer says."""

import json
from collections import defaultdict
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai._streaming import SSEDecoder
from openai.types import Completion

from services.edge.domain.generation import Counts, Delta, FinishReason, TokenChoice, TokenLogprob
from services.edge.domain.openai.answer_types import TextCompletion
from services.edge.domain.openai.completions.answers import (
    CompletionChunkWriter,
    CompletionHead,
    WholeCompletion,
)

HEAD = CompletionHead("0" * 32, 1_790_000_000)
MODEL = 'org/"m'
COUNTS = Counts(5, 2, 3)
TOKENS = st.lists(st.binary(min_size=1, max_size=3), max_size=2).map(
    lambda tokens: tuple(TokenChoice(TokenLogprob(token, -0.5)) for token in tokens)
)
PIECES = st.lists(st.tuples(st.integers(0, 3), st.text(max_size=4), TOKENS), max_size=12)


def deltas_of(pieces: list[tuple[int, str, tuple[TokenChoice, ...]]]) -> list[Delta]:
    deltas = [Delta(text, index=index, tokens=tokens) for index, text, tokens in pieces]
    return deltas + [
        Delta(finish=FinishReason.LENGTH, index=index) for index in {index for index, *_ in pieces}
    ]


def chunks_of(deltas: list[Delta], *, includes_usage: bool) -> list[Any]:
    writer = CompletionChunkWriter(HEAD, includes_usage=includes_usage)
    stream = writer.opening(MODEL) + b"".join(map(writer.frames, deltas)) + b"".join(writer.closing(COUNTS))
    *events, last = [event.data for event in SSEDecoder().iter_bytes(iter([stream]))]
    assert last == "[DONE]"
    for event in events:
        msgspec.json.decode(event, type=TextCompletion, strict=True)
    return [json.loads(event) for event in events]


def whole_of(deltas: list[Delta]) -> Any:
    whole = WholeCompletion(HEAD)
    for delta in deltas:
        whole.add(delta)
    body = b"".join(whole.parts(COUNTS, MODEL))
    msgspec.json.decode(body, type=TextCompletion, strict=True)
    return json.loads(body)


@given(PIECES)
def test_the_concatenation_of_a_stream_is_the_whole_answer(
    pieces: list[tuple[int, str, tuple[TokenChoice, ...]]],
) -> None:
    deltas = deltas_of(pieces)
    whole = whole_of(deltas)
    choices: dict[int, Any] = defaultdict(lambda: {"text": "", "finish_reason": None, "logprobs": None})
    for chunk in chunks_of(deltas, includes_usage=False):
        (told,) = chunk["choices"]
        choice = choices[told["index"]]
        assert choice["finish_reason"] is None, "nothing comes behind the end of a choice"
        choice["text"] += told["text"]
        choice["finish_reason"] = told["finish_reason"]
        for name, values in (told["logprobs"] or {}).items():
            choice["logprobs"] = choice["logprobs"] or defaultdict(list)
            choice["logprobs"][name] += values
    assert whole["choices"] == [{"index": index, **choice} for index, choice in sorted(choices.items())]


def test_the_sdk_reads_a_whole_answer() -> None:
    answer = Completion.model_validate(whole_of(deltas_of([(0, "é\u2028", ()), (2, "b", ())])))
    assert (answer.id, answer.object, answer.model) == ("cmpl-" + "0" * 32, "text_completion", MODEL)
    assert [(choice.index, choice.text) for choice in answer.choices] == [(0, "é\u2028"), (2, "b")]
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (
        5,
        3,
        8,
    )


@pytest.mark.parametrize("includes_usage", [True, False])
def test_counts_come_only_if_they_were_asked_for(includes_usage: bool) -> None:
    *chunks, last = chunks_of(deltas_of([(0, "a", ())]), includes_usage=includes_usage)
    assert all(("usage" in chunk) is includes_usage for chunk in chunks)
    assert (last["choices"] == []) is includes_usage
    assert (last.get("usage") or {}).get("total_tokens") == (8 if includes_usage else None)


def test_a_delta_that_says_nothing_is_no_frame() -> None:
    assert CompletionChunkWriter(HEAD, includes_usage=False).frames(Delta("")) == b""
