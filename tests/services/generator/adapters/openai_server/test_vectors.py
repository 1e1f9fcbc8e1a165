"""What a server says of one input becomes a vector, or nothing."""

import array
import base64
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.generator.adapters.openai_server.reading import BrokenStreamError, Fault
from services.generator.adapters.openai_server.vectors import are_alike, body_of, vectors_of

IDS = [7, 8, 9]
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def told(numbers: list[float], tokens: int = 3, **changed: Any) -> bytes:
    text = base64.b64encode(array.array("f", numbers).tobytes()).decode()
    answer = {"data": [{"embedding": text}], "usage": {"prompt_tokens": tokens}}
    return json.dumps(answer | changed).encode()


@given(st.lists(FLOATS, min_size=1, max_size=64))
def test_numbers_arrive_bit_by_bit(numbers: list[float]) -> None:
    assert vectors_of(told(numbers), [IDS]) == [array.array("f", numbers).tobytes()]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_vector_or_a_fault(content: bytes) -> None:
    with pytest.raises(BrokenStreamError):
        vectors_of(content, [IDS])


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (told([1.0], tokens=4), Fault.INPUT_NOT_COUNTED),
        (told([1.0], usage=None), Fault.COUNT_MISSING),
        (told([1.0], data=[]), Fault.NO_VECTOR),
        (told([1.0], data=[{"embedding": "AAA"}]), Fault.NO_VECTOR),
        (told([1.0], data=[{"embedding": "AAAA"}]), Fault.NO_VECTOR),
        (told([1.0], data=[{"embedding": ""}]), Fault.NO_VECTOR),
        (told([1.0], data=[{"embedding": [0.5]}]), Fault.NO_VECTOR),
        (told([math.nan]), Fault.NO_VECTOR),
        (told([math.inf]), Fault.NO_VECTOR),
        (b"[" * 100_000, Fault.NO_VECTOR),
    ],
)
def test_what_is_no_vector_or_is_counted_otherwise_is_none(content: bytes, fault: Fault) -> None:
    with pytest.raises(BrokenStreamError) as broken:
        vectors_of(content, [IDS])
    assert broken.value.fault is fault


def test_ids_go_out_as_they_are_and_numbers_come_as_they_were_computed() -> None:
    body = body_of([(1, 2), [3]], served_model="m")
    assert body == {"model": "m", "input": [[1, 2], [3]], "encoding_format": "base64"}


def test_vectors_of_several_inputs_come_in_their_order_and_all_of_them() -> None:
    texts = [base64.b64encode(array.array("f", [number]).tobytes()).decode() for number in (1.0, 2.0)]
    data = [{"embedding": texts[1], "index": 1}, {"embedding": texts[0], "index": 0}]
    found = vectors_of(told([], data=data), [IDS[:1], IDS[1:]])
    assert [array.array("f", vector)[0] for vector in found] == [1.0, 2.0]
    for wrong in (data[:1], [*data, data[0]], [data[0], data[0]]):
        with pytest.raises(BrokenStreamError):
            vectors_of(told([], data=wrong), [IDS[:1], IDS[1:]])


@given(st.lists(st.floats(0.1, 1.0), min_size=2, max_size=64), st.integers(0, 63))
def test_rounding_is_alike_and_a_part_of_another_input_is_not(numbers: list[float], place: int) -> None:
    vector = array.array("f", numbers)
    rounded = array.array("f", [number * (1 + 1e-4) for number in numbers])
    assert are_alike(vector.tobytes(), rounded.tobytes())
    rounded[place % len(numbers)] += 0.1
    assert not are_alike(vector.tobytes(), rounded.tobytes())
    assert not are_alike(vector.tobytes(), vector[:-1].tobytes())
