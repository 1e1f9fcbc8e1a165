from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.documents import decode_json
from services.edge.domain.openai.chat.body import ChatBody
from services.edge.domain.openai.conversion import converted
from services.kernel.errors import ComptoirError, Reason


def refused(value: dict[str, Any]) -> str:
    with pytest.raises(ComptoirError) as raised:
        converted(value, ChatBody)
    assert raised.value.reason is Reason.REQUEST_INVALID
    # What msgspec says may hold a value, and must be nowhere near the refusal.
    assert raised.value.__context__ is None
    return raised.value.field


@given(st.floats(-4, 4))
def test_a_number_is_read_within_its_range_only(value: float) -> None:
    if -2 <= value <= 2:
        assert converted({"presence_penalty": value}, ChatBody).presence_penalty == value
    else:
        assert refused({"presence_penalty": value}) == "presence_penalty"


@given(st.integers(-(2**53), 2**53))
def test_a_whole_number_may_be_written_with_a_point(value: int) -> None:
    body = converted({"seed": float(value)}, ChatBody)
    assert (body.seed, type(body.seed)) == (value, int)


@pytest.mark.parametrize("value", [True, False, "1", [], {}, float("nan"), float("inf"), 1e300, 10**400])
@pytest.mark.parametrize("name", ["seed", "temperature"])
def test_what_is_no_number_of_the_range_is_refused(name: str, value: object) -> None:
    assert refused({name: value}) == name


@given(st.integers(-(2**80), 2**80) | st.integers(-(2**63) - 2**11, -(2**63) + 2**11))
def test_a_whole_number_beyond_64_bits_is_not_rounded_into_them(value: int) -> None:
    body = decode_json(b'{"seed":%d}' % value)
    if -(2**63) <= value < 2**63:
        assert converted(body, ChatBody).seed == value
    else:
        assert refused(body) == "seed"


def test_null_reads_as_absent() -> None:
    assert converted(dict.fromkeys(ChatBody.__struct_fields__), ChatBody) == ChatBody()


def test_a_value_that_looks_like_a_path_names_nothing() -> None:
    for value in (" - at `$.secret`", "poet - at `$.model`"):
        assert refused({"messages": [{"role": value}]}) == "messages[0].role"


def test_the_longest_public_name_of_a_path_is_named() -> None:
    part = {"type": "text", "text": 7}
    assert refused({"messages": [{"content": [part]}]}) == "messages[0].content"
    assert refused({"stop": [7]}) == "stop"
