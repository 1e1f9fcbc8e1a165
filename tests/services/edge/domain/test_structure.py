import json
import tracemalloc

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain import structure
from services.edge.domain.structure import (
    MAX_DEPTH,
    MAX_VALUES,
    check_count,
    check_shape,
    outside_steps,
    outside_strings,
)
from services.kernel.errors import ComptoirError

KEYS = st.text(max_size=5) | st.sampled_from(['"', "\\", ':"', '\\":', "a:b", "{", '"}'])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | KEYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_json_without_repeated_keys_passes(value: object, is_ascii: bool, indent: int | None) -> None:
    document = json.dumps(value, ensure_ascii=is_ascii, indent=indent).encode()
    check_shape(orjson.loads(document), outside_strings(document))


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4), VALUES, st.data())
def test_a_repeated_key_is_refused_wherever_it_stands(
    members: dict[str, object], other: object, data: st.DataObject
) -> None:
    pairs = [(json.dumps(key), json.dumps(value)) for key, value in members.items()]
    repeated = data.draw(st.sampled_from(pairs))[0]
    pairs.insert(data.draw(st.integers(0, len(pairs))), (repeated, json.dumps(other)))
    body = "{" + ",".join(f"{key}:{value}" for key, value in pairs) + "}"
    document = f'{{"outer":[{body}]}}'.encode()
    with pytest.raises(ComptoirError):
        check_shape(orjson.loads(document), outside_strings(document))


def test_a_key_repeated_in_another_spelling_is_refused() -> None:
    document = rb'{"stream":true,"str\u0065am":false}'
    with pytest.raises(ComptoirError):
        check_shape(orjson.loads(document), outside_strings(document))


def test_depth_is_bounded() -> None:
    def check(depth: int) -> None:
        document = b"[" * depth + b"]" * depth
        check_shape(orjson.loads(document), outside_strings(document))

    check(MAX_DEPTH)
    with pytest.raises(ComptoirError):
        check(MAX_DEPTH + 1)


def test_the_number_of_values_is_bounded_and_text_does_not_count() -> None:
    check_count(outside_strings(b'["' + b"," * 2 * MAX_VALUES + b'"]'))
    with pytest.raises(ComptoirError):
        check_count(outside_strings(b"[" + b"1," * MAX_VALUES + b"1]"))


def test_a_document_of_as_many_keys_and_texts_as_it_may_have_passes() -> None:
    document = b"{" + b",".join([b'"%d":"a"' % number for number in range(MAX_VALUES)]) + b"}"
    outside = outside_strings(document)
    check_count(outside)
    check_shape(orjson.loads(document), outside)


@pytest.mark.parametrize(
    "document", [b'"' * 1_000_000, b'["",' + b'"",' * 300_000 + b'""]', b'{"a":' * 200_000]
)
def test_a_document_of_nothing_but_quotes_is_not_taken_apart(document: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(ComptoirError):
        outside_strings(document)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # A list of its pieces alone would be more.
    assert peak < 2 * len(document)


@given(document=st.text(alphabet='\\":a', max_size=40), piece_bytes=st.integers(1, 8))
def test_an_escape_at_the_end_of_a_piece_goes_on_in_the_next(document: str, piece_bytes: int) -> None:
    whole = outside_strings(document.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structure, "_BYTES_PER_STEP", piece_bytes)
        assert outside_strings(document.encode()) == whole


def test_a_long_document_is_searched_for_escapes_in_pieces() -> None:
    assert len(list(outside_steps(rb"\"" * 512 * 1024))) >= 5
