"""What events of an answer say: output, counts, ends, and faults by name."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.bench.answers import BROKEN_OFF, NOT_OPENAI, AnswerReader, refusal
from services.cli.bench.exchange import CountedBy


def chunk(delta: Any = None, **fields: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": None}]
    return json.dumps({"choices": choices, **fields}).encode()


def test_the_role_and_empty_pieces_are_no_output() -> None:
    reader = AnswerReader()
    for delta in ({"role": "assistant", "content": ""}, {"content": None}, {}):
        reader.take(chunk(delta), 1.0)
    reader.take(chunk({"content": "a"}), 2.0)
    assert list(reader.token_seconds) == [2.0]


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "a"},
        {"reasoning_content": "a"},
        {"reasoning": "a"},
        {"refusal": "a"},
        {"tool_calls": [{"index": 0}]},
    ],
)
def test_text_thought_and_calls_are_output(delta: dict[str, Any]) -> None:
    reader = AnswerReader()
    reader.take(chunk(delta), 1.0)
    assert list(reader.token_seconds) == [1.0]


def test_completions_have_text() -> None:
    reader = AnswerReader()
    reader.take(b'{"choices": [{"text": "a"}]}', 1.0)
    assert list(reader.token_seconds) == [1.0]


def test_the_last_usage_counts_wherever_it_stands() -> None:
    reader = AnswerReader()
    reader.take(chunk({"content": "a"}, usage={"prompt_tokens": 3, "completion_tokens": 1}), 1.0)
    reader.take(chunk({"content": "b"}, usage=None), 1.0)
    reader.take(chunk(usage={"prompt_tokens": 3, "completion_tokens": 7}), 1.0)
    counted = reader.counted()
    assert (counted.input_tokens, counted.output_tokens, counted.by) == (3, 7, CountedBy.USAGE)


def test_without_usage_a_tokenizer_counts_or_else_each_event_does() -> None:
    counting, plain = AnswerReader(lambda text: len(text.split())), AnswerReader()
    for reader in (counting, plain):
        for piece in ("un ", "deux trois", " quatre"):
            reader.take(chunk({"content": piece}), 1.0)
    assert (counting.counted().output_tokens, counting.counted().by) == (4, CountedBy.TOKENIZER)
    assert (plain.counted().output_tokens, plain.counted().by) == (3, CountedBy.EVENTS)


def test_no_text_is_kept_where_nobody_counts_it() -> None:
    reader = AnswerReader()
    reader.take(chunk({"content": "secret"}), 1.0)
    assert "secret" not in repr([getattr(reader, name) for name in ("_text", "_usage", "token_seconds")])


@pytest.mark.parametrize(
    ("events", "failure"),
    [
        ([b"[DONE]"], ""),
        ([json.dumps({"choices": [{"delta": {}, "finish_reason": "stop"}]}).encode()], ""),
        ([chunk({"content": "a"})], BROKEN_OFF),
        ([], BROKEN_OFF),
        ([b"not json"], NOT_OPENAI),
        ([b"[1]"], NOT_OPENAI),
        ([b'{"error": {"code": "engine_failed", "message": "x"}}', b"[DONE]"], "engine_failed"),
        ([b'{"error": {"code": null, "type": "server_error"}}'], "server_error"),
    ],
)
def test_an_answer_ends_well_or_with_a_name(events: list[bytes], failure: str) -> None:
    reader = AnswerReader()
    for event in events:
        reader.take(event, 1.0)
    reader.end()
    assert reader.failure == failure


def test_a_whole_answer_has_counts_and_no_times() -> None:
    reader = AnswerReader()
    usage = {"prompt_tokens": 4, "completion_tokens": 9}
    reader.take_whole(json.dumps({"choices": [{"message": {"content": "a"}}], "usage": usage}).encode())
    reader.end()
    assert (reader.failure, list(reader.token_seconds), reader.counted().output_tokens) == ("", [], 9)


@pytest.mark.parametrize(
    ("status", "body", "name"),
    [
        (429, b'{"error": {"code": "rate_limit_exceeded", "type": "requests"}}', "429 rate_limit_exceeded"),
        (401, b'{"error": {"code": null, "type": "invalid_request_error"}}', "401 invalid_request_error"),
        (400, b'{"object": "error", "type": "BadRequestError", "code": 400}', "400 BadRequestError"),
        (502, b"<html>", "502"),
        (400, b'{"error": {"code": "a sentence with \\u001b[31m what was asked"}}', "400"),
    ],
)
def test_a_refusal_is_named_by_status_and_code_and_never_by_a_sentence(
    status: int, body: bytes, name: str
) -> None:
    assert refusal(status, body) == name


NAMES = ("choices", "delta", "content", "usage", "error", "code", "text", "finish_reason")
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=10,
)


@given(st.lists(st.binary() | JSON.map(lambda value: json.dumps(value).encode())))
def test_whatever_comes_is_read_or_named(events: list[bytes]) -> None:
    reader = AnswerReader(len)
    for event in events:
        reader.take(event, 1.0)
    reader.end()
    assert reader.counted().output_tokens >= 0 or reader.counted().by is CountedBy.USAGE
