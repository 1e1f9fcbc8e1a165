"""A body that cannot be read is told what is wrong with it and where, in none of its own words."""

import json

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from services.edge.documents import decode_json
from services.edge.domain.body_faults import BodyError, BodyFault, half_pair_at, half_pair_steps
from services.edge.domain.openai.chat.request import parse_chat
from services.edge.domain.openai.errors import error_json
from services.kernel.errors import ComptoirError

CANARY = "kanarienvogel"
CHAT = {"model": "tiny-eu", "messages": [{"role": "user", "content": f"Bonjour {CANARY} é"}]}
PLAIN = json.dumps(CHAT, ensure_ascii=False).encode()


def fault_of(document: bytes) -> tuple[BodyFault, int, dict[str, str]]:
    with pytest.raises(BodyError) as raised:
        decode_json(document)
    body = error_json(raised.value)
    assert CANARY.encode() not in body
    return raised.value.fault, raised.value.position, json.loads(body)["error"]


def chat_of(*contents: object) -> bytes:
    return json.dumps(CHAT | {"messages": [{"role": "user", "content": one} for one in contents]}).encode()


def test_a_byte_order_mark_is_skipped() -> None:
    assert parse_chat(decode_json(b"\xef\xbb\xbf" + PLAIN)) == parse_chat(CHAT)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_a_body_in_another_encoding_is_told_which_one_json_has(encoding: str) -> None:
    fault, _, error = fault_of(PLAIN.decode().encode(encoding))
    assert fault is BodyFault.WIDE
    assert "UTF-16" in error["message"]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_bytes_that_are_no_utf8_are_named_by_their_place(mark: bytes) -> None:
    fault, position, error = fault_of(mark + PLAIN.replace("é".encode(), b"\xe9"))
    assert (fault, position) == (BodyFault.NOT_UTF8, len(mark) + PLAIN.index("é".encode()))
    assert f"byte {position}" in error["message"]


@pytest.mark.parametrize("document", [b"", b" \n", b"\xef\xbb\xbf"])
def test_an_empty_body_is_called_empty(document: bytes) -> None:
    assert fault_of(document)[0] is BodyFault.EMPTY


def test_what_is_no_json_is_told_where_it_breaks_in_bytes() -> None:
    fault, position, error = fault_of(PLAIN + b",")
    assert (fault, position) == (BodyFault.NOT_JSON, len(PLAIN))
    assert f"byte {position}" in error["message"]


def test_half_an_emoji_is_named_with_its_message_and_its_place() -> None:
    """As in a history that was cut in the middle of one: it poisons every request after it."""
    document = chat_of("a", "b", "c", f"{CANARY} \ud83d", "\ud83d again")
    fault, position, error = fault_of(document)
    assert (fault, position) == (BodyFault.HALF_PAIR, document.index(rb"\ud83d"))
    assert error["param"] == "messages[3].content"
    assert error["code"] == "invalid_value"
    assert "'messages[3].content'" in error["message"]
    assert "surrogate" in error["message"]
    assert f"byte {position}" in error["message"]


def test_half_an_emoji_in_a_part_is_named_with_its_message() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "\ude00"}]
    assert fault_of(chat_of("a", parts))[2]["param"] == "messages[1].content"


def test_half_an_emoji_where_no_name_is_ours_is_named_by_its_place_alone() -> None:
    for body in ({CANARY: "\ud83d"}, {"metadata": {CANARY: "\ud83d"}}, {"\ud83d": CANARY}, ["\ud83d"]):
        _, position, error = fault_of(json.dumps(body).encode())
        assert error["param"] is None
        assert f"byte {position}" in error["message"]


@pytest.mark.parametrize("key", ["messages[1234].content", "stream_options.include_usage"])
def test_a_key_that_is_spelt_like_a_path_is_not_repeated_as_one(key: str) -> None:
    """Its index is no place in a list: a number that the caller chose."""
    _, _, error = fault_of(json.dumps({key: "\ud83d"}).encode())
    assert error["param"] is None
    assert "1234" not in error["message"]


def test_half_an_emoji_in_what_is_no_json_either_is_still_named() -> None:
    assert fault_of(PLAIN + rb'"\ud83d')[0] is BodyFault.HALF_PAIR


def test_structure_out_of_bounds_is_told_which_bound() -> None:
    assert fault_of(b"[" * 80 + b"]" * 80)[0] is BodyFault.TOO_DEEP
    assert fault_of(b"[" + b"1," * 20_001 + b"1]")[0] is BodyFault.TOO_MANY_VALUES
    assert fault_of(b'{"a":1,"a":2}')[0] is BodyFault.REPEATED_KEY


TEXTS = st.text(st.characters() | st.sampled_from('\\"\ud83d\ude00u8d/\n'), max_size=30)


@given(TEXTS)
@example("\\ud83d")
@example("\ud83d\ud83d\ude00")
@example("\\\ud83d")
def test_a_half_is_found_exactly_where_there_is_one(text: str) -> None:
    document = json.dumps(text).encode()
    # Two halves that happen to follow each other are written as the pair that they are.
    paired = json.loads(document)
    halves = [character for character in paired if "\ud800" <= character <= "\udfff"]
    position = half_pair_at(document)
    assert (position is not None) == bool(halves)
    if position is not None:
        assert int(document[position + 2 : position + 6], 16) == ord(halves[0])


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_a_history_is_served_or_its_first_half_is_named(contents: list[str]) -> None:
    document = chat_of(*contents)
    read = json.loads(document)["messages"]
    broken = [
        index for index, one in enumerate(read) if any("\ud800" <= c <= "\udfff" for c in one["content"])
    ]
    if broken:
        assert fault_of(document)[2]["param"] == f"messages[{broken[0]}].content"
    else:
        parse_chat(decode_json(document))


@given(st.binary(max_size=60), st.integers(0, 60))
def test_any_fault_is_a_sentence_with_a_place_inside_the_body(noise: bytes, cut: int) -> None:
    document = PLAIN[:cut] + noise
    try:
        decode_json(document)
    except ComptoirError as error:
        assume(isinstance(error, BodyError))
        assert 0 <= error.position <= len(document)  # type: ignore[attr-defined] # noqa: PT017
        assert json.loads(error_json(error))["error"]["message"].endswith(".")  # noqa: PT017


@pytest.mark.parametrize("filling", [rb"\ud83d", rb"\n", rb"\ud83d\ude00", b"a", rb"\\"])
def test_a_body_of_the_largest_size_is_looked_through_once(filling: bytes) -> None:
    document = b'{"a":"' + filling * (1_000_000 // len(filling)) + rb"\ud83d" + b'"}'
    assert fault_of(document)[0] is BodyFault.HALF_PAIR


def test_a_body_of_pairs_is_searched_in_steps() -> None:
    assert len(list(half_pair_steps(rb"\ud83d\ude00" * 80_000))) >= 5
