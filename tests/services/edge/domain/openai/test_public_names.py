import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.openai.public_names import EXPECTED, expectation, from_schema, is_public


@given(st.text())
def test_only_names_on_the_list_are_public(name: str) -> None:
    assert not is_public(name) or name in EXPECTED


def test_an_index_is_digits_and_nothing_else() -> None:
    assert is_public("messages[12].content")
    assert not is_public("messages[secret].content")
    assert not is_public("messages[99999].content")


def test_a_seed_that_is_too_large_is_told_both_bounds() -> None:
    # 2^63 is a whole number of 64 bits too, without a sign.
    assert expectation("seed") == f"a whole number from {-(2**63)} to {2**63 - 1}"


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("sampling.top_p", "top_p"),
        ("sampling.max_output_tokens", "max_completion_tokens"),
        ("max_output_tokens", "max_completion_tokens"),
        ("prompt_tokens_upper_bound", "messages"),
        ("messages.parts", "messages"),
        ("model", "model"),
    ],
)
def test_other_processes_fields_are_named_as_clients_spell_them(field: str, name: str) -> None:
    assert from_schema(field) == name
    assert is_public(name)


def test_every_expectation_is_said_of_a_name_that_a_client_can_write() -> None:
    assert {"model", "messages", "messages[]", "messages[].role", "messages[].content"} <= set(EXPECTED)
    assert {"stream", "stream_options", "stream_options.include_usage", "stop"} <= set(EXPECTED)
    assert not [name for name in EXPECTED if name.startswith(".") or "[][]" in name]
