"""What is sealed is opened by the key that it was sealed for, and says nothing to anybody else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.adapters.key_seal import KeySeal

SEAL = KeySeal("cptr_eu-fr_a")
TEXTS = st.text(st.characters(codec="utf-8"))


@given(TEXTS)
def test_what_was_sealed_is_opened_by_the_same_key_on_any_edge(text: str) -> None:
    sealed = SEAL.seal("msg_1_0", text)
    assert sealed.startswith("msg_1_0.")
    assert KeySeal("cptr_eu-fr_a").open(sealed) == text


def test_another_key_opens_nothing() -> None:
    assert KeySeal("cptr_eu-fr_b").open(SEAL.seal("msg_1_0", "secret")) is None


def test_a_text_shows_in_no_id_and_no_two_ids_are_alike() -> None:
    first, second = SEAL.seal("msg_1_0", "secret"), SEAL.seal("msg_1_0", "secret")
    assert "secret" not in first
    assert first != second


@pytest.mark.parametrize("changed", ["", "msg_1_0", "msg_1_0.", "msg_1_0.A", "msg_1_0.é", "msg_1_0.AAAA" * 9])
def test_an_id_that_holds_nothing_opens_nothing(changed: str) -> None:
    assert SEAL.open(changed) is None


def test_what_was_sealed_for_one_item_is_no_other_item() -> None:
    sealed = SEAL.seal("msg_1_0", "secret")
    assert SEAL.open(sealed.replace("msg_1_0", "msg_1_1")) is None
    assert SEAL.open(sealed[:-1]) is None
