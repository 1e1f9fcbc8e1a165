"""A stop string is cut off wherever chunks divide it, and nothing else is."""

from hypothesis import given
from hypothesis import strategies as st

from services.generator.adapters.openai_server.stops import StopCutter

LETTERS = st.text("aé🚆", min_size=1)


def told(pieces: list[str], stops: tuple[str, ...], stop: int | str | None) -> str:
    cutter = StopCutter(stops, (5,), lambda token_id: {5: b"xy"}[token_id])
    parts = [cutter.take(piece) for piece in pieces[:-1]]
    return "".join([*parts, cutter.end(pieces[-1], stop)])


@given(st.lists(LETTERS, min_size=1, max_size=8), st.lists(LETTERS, min_size=1, max_size=4))
def test_an_answer_ends_where_the_first_stop_string_begins(pieces: list[str], stops: list[str]) -> None:
    whole = "".join(pieces)
    found = [(whole.find(stop) + len(stop), stop) for stop in stops if stop in whole]
    if not found:
        assert told(pieces, tuple(stops), None) == whole
        return
    # A server ends with the string that is complete first.
    end, stop = min(found)
    starts = range(len(pieces))
    left = [
        piece[: max(0, end - len("".join(pieces[:at])))] for at, piece in zip(starts, pieces, strict=True)
    ]
    left = [piece for piece in left if piece]
    assert told(left, tuple(stops), stop) == whole[:end].partition(stop)[0]


def test_nothing_is_held_back_that_no_stop_string_begins_with() -> None:
    cutter = StopCutter(("\n\n", "END"), (), None)
    assert [cutter.take(piece) for piece in ("a\n", "b EN", "d")] == ["a", "\nb ", "ENd"]


def test_the_text_of_a_stop_token_is_cut_off_and_that_of_an_end_is_not() -> None:
    assert told(["a", "bxy"], (), 5) == "ab"
    assert told(["a", "bxy"], (), 2) == "abxy"
    # A server that does not show the token.
    assert told(["a", "b"], (), 5) == "ab"


def test_a_stop_string_that_stands_before_the_end_is_told_apart_by_the_end() -> None:
    for stop, said in (("END", "a "), (None, "a END")):
        cutter = StopCutter(("END",), (), None)
        assert cutter.take("a END") + cutter.end("", stop) == said
