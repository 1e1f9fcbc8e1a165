import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.openai.public_names import EXPECTED, expectation, from_schema, is_public, name_for
from services.edge.domain.timeline import Endpoint
from services.kernel.errors import ComptoirError, Reason


@given(st.text())
def test_only_names_on_the_list_are_public(name: str) -> None:
    for endpoint in Endpoint:
        told = name_for(ComptoirError(Reason.REQUEST_INVALID, field=name), endpoint)
        assert told is None or is_public(name)


def test_an_index_is_digits_and_nothing_else() -> None:
    assert is_public("messages[12].content")
    assert not is_public("messages[secret].content")
    assert not is_public("messages[99999].content")


def test_a_seed_that_is_too_large_is_told_both_bounds() -> None:
    # 2^63 is a whole number of 64 bits too, without a sign.
    assert expectation("seed", Endpoint.CHAT_COMPLETIONS) == f"a whole number from {-(2**63)} to {2**63 - 1}"


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("sampling.top_p", "top_p"),
        ("sampling.max_output_tokens", "max_completion_tokens"),
        ("max_output_tokens", "max_completion_tokens"),
        ("prompt_tokens_upper_bound", "messages"),
        ("messages.parts", "messages"),
        ("prompt.token_ids.ids", "prompt"),
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


@pytest.mark.parametrize(
    ("field", "name"),
    [("messages", "prompt"), ("max_completion_tokens", "max_tokens"), ("messages[0].role", None), ("n", "n")],
)
def test_a_completion_is_told_its_own_names(field: str, name: str | None) -> None:
    assert name_for(ComptoirError(Reason.REQUEST_INVALID, field=field), Endpoint.COMPLETIONS) == name


def test_what_is_not_served_is_named_as_it_was_sent() -> None:
    error = ComptoirError(Reason.PARAMETER_UNSUPPORTED, field="max_completion_tokens")
    assert name_for(error, Endpoint.COMPLETIONS) == "max_completion_tokens"


def test_a_completion_has_its_own_words() -> None:
    assert expectation("logprobs", Endpoint.COMPLETIONS).startswith("a whole number from 0 to 5,")
    assert expectation("logprobs", Endpoint.CHAT_COMPLETIONS) == "true or false"
