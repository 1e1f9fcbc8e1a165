"""Clients read back the bytes of every token, also of those that are a part of a character."""

import json
import math

from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat.chat_completion import ChoiceLogprobs

from services.edge.domain.generation import TokenChoice, TokenLogprob
from services.edge.domain.openai.logprobs import logprobs_json

TOKENS = st.builds(TokenLogprob, st.binary(max_size=6), st.floats(-9999, 0))
CHOICES = st.builds(TokenChoice, TOKENS, st.lists(TOKENS, max_size=3).map(tuple))


def test_no_logprobs_are_null() -> None:
    assert logprobs_json(()) == "null"


@given(st.lists(CHOICES, min_size=1, max_size=4))
def test_the_sdk_reads_what_was_written(tokens: list[TokenChoice]) -> None:
    written = logprobs_json(tokens)
    assert "\n" not in written
    content = ChoiceLogprobs.model_validate(json.loads(written)).content or []
    assert [bytes(read.bytes or ()) for read in content] == [token.chosen.token for token in tokens]
    for read, token in zip(content, tokens, strict=True):
        assert math.isclose(read.logprob, token.chosen.logprob, rel_tol=1e-6)
        assert [bytes(top.bytes or ()) for top in read.top_logprobs] == [
            each.token for each in token.likeliest
        ]
