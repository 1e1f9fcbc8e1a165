from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.parameters import EXPECTED, public_name


@given(st.text())
def test_only_names_on_the_list_are_public(name: str) -> None:
    assert public_name(name) is None or public_name(name) in EXPECTED


def test_an_index_is_digits_and_nothing_else() -> None:
    assert public_name("messages[12].content") == "messages[12].content"
    assert public_name("messages[secret].content") is None
    assert public_name("messages[99999].content") is None
