"""Four lists side by side, in which every token has its text and its place."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.generation import TokenChoice, TokenLogprob
from services.edge.domain.openai.completions.logprobs import TextLogprobs


def choice(token: bytes, *likeliest: tuple[bytes, float], logprob: float = -1.0) -> TokenChoice:
    return TokenChoice(TokenLogprob(token, logprob), tuple(TokenLogprob(*each) for each in likeliest))


def read(*tokens: TokenChoice) -> Any:
    return json.loads(TextLogprobs().json(tokens))


def test_none_were_asked_for() -> None:
    assert TextLogprobs().json(()) == "null"


def test_the_token_that_came_is_among_the_likeliest_in_any_case() -> None:
    logprobs = read(choice(b"a", (b"b", -0.5), (b"c", -0.75)), choice(b"b", (b"b", -1.0)))
    assert logprobs["top_logprobs"] == [{"b": -0.5, "c": -0.75, "a": -1}, {"b": -1}]
    assert (logprobs["tokens"], logprobs["token_logprobs"]) == (["a", "b"], [-1, -1])


def test_a_part_of_a_character_is_its_bytes_and_has_the_place_of_the_character() -> None:
    logprobs = read(choice(b"l\xc3"), choice(b"\xa9"), choice(b"!"))
    assert logprobs["tokens"] == ["bytes:\\x6c\\xc3", "bytes:\\xa9", "!"]
    assert logprobs["text_offset"] == [0, 1, 2]


@given(st.text(), st.lists(st.integers(1, 4)), st.integers(0, 5))
def test_every_token_begins_at_its_offset_however_the_text_is_cut(
    text: str, sizes: list[int], cut: int
) -> None:
    rest, tokens = text.encode(), []
    for size in sizes:
        tokens.append(choice(rest[:size]))
        rest = rest[size:]
    tokens = [token for token in [*tokens, choice(rest)] if token.chosen.token]
    streamed = TextLogprobs()
    offsets: list[int] = []
    for part in (tokens[:cut], tokens[cut:]):
        told = json.loads(streamed.json(part))
        offsets += told["text_offset"] if told else []
    assert offsets == (read(*tokens)["text_offset"] if tokens else [])
    for token, offset in zip(tokens, offsets, strict=True):
        try:
            said = token.chosen.token.decode()
        except UnicodeDecodeError:
            continue
        assert text[offset:].startswith(said)
