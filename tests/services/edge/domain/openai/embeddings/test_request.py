"""What is asked for in any of four forms, and the same vectors as numbers and as base64."""

import array
import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.generation import TOKENS_AROUND_A_TEXT, Counts, Vectors
from services.edge.domain.openai.embeddings.request import EmbeddingWriter, parse_embeddings
from services.edge.domain.openai.errors import error_json
from services.edge.domain.timeline import Endpoint
from services.kernel.errors import ComptoirError, Numbers, Reason

NUMBERS = st.floats(-1, 1, width=32)


@pytest.mark.parametrize(
    ("sent", "inputs", "bound"),
    [
        ("Ça va", ("Ça va",), 6 + TOKENS_AROUND_A_TEXT),
        (["a", "bc"], ("a", "bc"), 3 + 2 * TOKENS_AROUND_A_TEXT),
        ([1, 2, 3], ((1, 2, 3),), 3),
        ([[1], [2, 3]], ((1,), (2, 3)), 3),
        (["a", [2]], ("a", (2,)), 2 + TOKENS_AROUND_A_TEXT),
        (["a"] * 2048, ("a",) * 2048, 2048 * (1 + TOKENS_AROUND_A_TEXT)),
    ],
)
def test_each_form_becomes_inputs(sent: Any, inputs: tuple[Any, ...], bound: int) -> None:
    asked = parse_embeddings({"model": "m", "input": sent})
    assert asked.generation.inputs == inputs
    assert asked.generation.prompt_tokens_upper_bound == bound
    assert (asked.is_base64, asked.generation.dimensions) == (False, 0)


def test_format_and_dimensions_are_read_and_the_user_is_dropped() -> None:
    body = {"input": "a", "encoding_format": "base64", "dimensions": 32.0, "user": "u"}
    asked = parse_embeddings(body)
    assert (asked.is_base64, asked.generation.dimensions) == (True, 32)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": None}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": [[1], []]}, "input[1]"),
        ({"input": [1, "a"]}, "input"),
        ({"input": [1, [2]]}, "input"),
        ({"input": ["a"] * 2049}, "input"),
        ({"input": {"text": "a"}}, "input"),
        ({"input": [-1]}, "input[0]"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "dimensions": "many"}, "dimensions"),
        ({"input": "a", "truncate_prompt_tokens": 3}, "truncate_prompt_tokens"),
        ({"input": "a", "messages": [{"role": "user"}]}, "messages"),
        ({"input": "a", "normalize": False}, "normalize"),
    ],
)
def test_what_is_wrong_is_named_with_what_it_must_be(body: dict[str, Any], param: str) -> None:
    with pytest.raises(ComptoirError) as refusal:
        parse_embeddings(body)
    error = json.loads(error_json(refusal.value, Endpoint.EMBEDDINGS))["error"]
    assert error["param"] == param
    assert param in error["message"]


def test_an_input_that_is_too_long_is_told_by_its_number_and_its_tokens() -> None:
    error = ComptoirError(Reason.CONTEXT_TOO_LONG, field="input[3]", numbers=Numbers(512, 600))
    told = json.loads(error_json(error, Endpoint.EMBEDDINGS))["error"]
    assert (told["param"], told["code"]) == ("input[3]", "context_length_exceeded")
    assert told["message"] == (
        "This model's maximum context length is 512 tokens. However, your input resulted in 600 tokens. "
        "Please reduce the length of the input."
    )


def written(vectors: list[list[float]], *, is_base64: bool, per_message: int = 2) -> dict[str, Any]:
    writer = EmbeddingWriter(is_base64=is_base64)
    for start in range(0, len(vectors), per_message):
        values = b"".join(array.array("f", one).tobytes() for one in vectors[start : start + per_message])
        writer.add(Vectors(len(vectors[0]), values))
    body: dict[str, Any] = json.loads(b"".join(writer.body(Counts(7, 0, 0), "tiny")))
    return body


@given(vectors=st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=1, max_size=9))
def test_numbers_and_base64_are_the_same_vectors_in_order(vectors: list[list[float]]) -> None:
    as_numbers, as_base64 = written(vectors, is_base64=False), written(vectors, is_base64=True)
    assert [item["embedding"] for item in as_numbers["data"]] == vectors
    decoded = [struct.unpack("<3f", base64.b64decode(item["embedding"])) for item in as_base64["data"]]
    assert [list(one) for one in decoded] == vectors
    for body in (as_numbers, as_base64):
        assert [item["index"] for item in body["data"]] == list(range(len(vectors)))
        assert body["usage"] == {"prompt_tokens": 7, "total_tokens": 7}
        assert (body["object"], body["model"]) == ("list", "tiny")


def test_a_large_answer_is_written_in_parts() -> None:
    writer = EmbeddingWriter(is_base64=False)
    writer.add(Vectors(1024, array.array("f", [0.5] * 1024 * 64).tobytes()))
    parts = list(writer.body(Counts(1, 0, 0), "tiny"))
    assert len(parts) > 30
    assert max(map(len, parts)) < 64 * 1024


def test_what_is_no_number_is_a_failure_and_no_broken_json() -> None:
    with pytest.raises(ComptoirError) as failure:
        written([[float("nan")]], is_base64=False)
    assert failure.value.reason is Reason.INTERNAL
