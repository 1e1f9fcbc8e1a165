import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.local.clickhouse.domain.canonical import tokens


def _read(text: str) -> list[tuple[str, str]]:
    return [(token.kind, token.text) for token in tokens(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT a", [("word", "SELECT"), ("word", "a")]),
        ("'it\\'s' 'a''b'", [("string", "it's"), ("string", "a'b")]),
        ('`x\\`y` "z"""', [("quoted", "x`y"), ("quoted", 'z"')]),
        ("a -- b\nc /* d ; */ e", [("word", "a"), ("word", "c"), ("word", "e")]),
        ("f(1)", [("word", "f"), ("(", "("), ("word", "1"), (")", ")")]),
        ("é_ü$1", [("word", "é_ü$1")]),
        ("'never closed", [("string", "never closed")]),
        ("/* never closed", []),
    ],
)
def test_a_text_is_read_as_the_engine_reads_it(text: str, expected: list[tuple[str, str]]) -> None:
    assert _read(text) == expected


@given(st.text())
def test_every_text_is_read_to_its_end(text: str) -> None:
    found = list(tokens(text))
    positions = [position for token in found for position in (token.start, token.end)]
    assert positions == sorted(positions)
    assert all(token.start < token.end <= len(text) for token in found)


@given(st.text(alphabet=st.characters(exclude_characters="\0")))
def test_a_quoted_text_is_one_token_with_its_value(value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    assert _read(f"'{quoted}'") == [("string", value)]
