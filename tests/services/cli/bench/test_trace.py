"""Traces of lengths and arrivals."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.bench.errors import BenchError
from services.cli.bench.trace import TracedRequest, read_trace


def line(**fields: object) -> str:
    return json.dumps({"input_length": 10, "output_length": 5, **fields})


def test_requests_come_by_their_time() -> None:
    found = read_trace([line(timestamp=3000, hash_ids=[1]), "", line(timestamp=1500.5, input_length=7)], "t")
    assert found == [TracedRequest(7, 5, 1.5005), TracedRequest(10, 5, 3.0)]


def test_lengths_alone_have_no_time() -> None:
    assert read_trace([line(), line(output_length=6)], "t") == [TracedRequest(10, 5), TracedRequest(10, 6)]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "no request"),
        (["{"], "line 1: this is no JSON object"),
        (["[]"], "line 1: this is no JSON object"),
        ([line(), line(input_length=0)], "line 2: input_length"),
        ([line(output_length=True)], "output_length"),
        ([line(output_length="5")], "output_length"),
        ([line(timestamp=-1)], "timestamp"),
        ([line(timestamp="now")], "timestamp"),
        ([line(timestamp=1), line()], "each request has a timestamp, or none"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_and_not_quoted(lines: list[str], words: str) -> None:
    with pytest.raises(BenchError, match=words):
        read_trace(lines, "t")


@given(st.lists(st.text(max_size=40), max_size=4))
def test_any_text_is_a_trace_or_refused(lines: list[str]) -> None:
    with pytest.raises(BenchError):
        read_trace(lines, "t")
