"""A prompt stands once before each choice, wherever the pieces of the choices are cut."""

from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.delta import Delta
from services.generator.domain.echo import Echo

PIECES = st.lists(st.tuples(st.integers(0, 3), st.text(max_size=3)), max_size=20)


@given(st.text(max_size=5), PIECES)
def test_each_choice_begins_with_the_text(text: str, pieces: list[tuple[int, str]]) -> None:
    echo, said = Echo(text), dict.fromkeys((index for index, _ in pieces), "")
    for index, piece in pieces:
        delta = Delta(piece, index=index)
        echo.begin(delta)
        said[index] += delta.text
    for index, whole in said.items():
        assert whole == text + "".join(piece for of, piece in pieces if of == index)


def test_an_answer_without_an_echo_is_left_as_it_is() -> None:
    delta = Delta("a")
    Echo().begin(delta)
    assert delta == Delta("a")
