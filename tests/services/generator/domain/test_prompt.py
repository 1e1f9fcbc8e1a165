"""The size of a chat is that of what its turns say."""

from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.prompt import ChatTurn, Role, text_bytes

TEXT = st.text(max_size=8)


def test_a_turn_says_its_parts_or_its_text() -> None:
    assert ChatTurn(Role.USER, "a").texts == ("a",)
    assert ChatTurn(Role.USER, "a\nb", ("a", "b")).texts == ("a", "b")


@given(st.lists(st.tuples(TEXT, st.lists(TEXT, max_size=3)), max_size=4))
def test_bytes_are_counted_and_not_characters(said: list[tuple[str, list[str]]]) -> None:
    turns = [ChatTurn(Role.USER, text, tuple(parts)) for text, parts in said]
    assert text_bytes(turns) == len("".join("".join(parts or [text]) for text, parts in said).encode())
