"""However a stream is cut, the same is said and called; and a call is never taken for text."""

import itertools
import json

from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.delta import ToolCallPart
from services.generator.domain.tools import HERMES, Piece, Tool, ToolCallReader, Tools, ToolUse, grammar

JSONS = st.dictionaries(st.text(max_size=4), st.text(max_size=12) | st.integers() | st.none(), max_size=3)
CALLS = st.lists(st.tuples(st.from_regex(r"[a-zA-Z0-9_-]{1,8}", fullmatch=True), JSONS), max_size=3)
TEXTS = st.text(st.sampled_from('ab <>\n{tool_call"é') | st.characters(), max_size=20).filter(
    lambda text: HERMES.mark not in text
)


def written(name: str, arguments: object) -> str:
    return HERMES.before + name + HERMES.between + json.dumps(arguments) + HERMES.behind


def read(text: str, cuts: list[int]) -> tuple[str, list[tuple[str, str, str]]]:
    """What was said, and each call's id, name and arguments."""
    numbers = itertools.count()
    reader = ToolCallReader(HERMES, lambda: f"call_{next(numbers)}")
    places = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    pieces: list[Piece] = []
    for begin, end in itertools.pairwise(places):
        pieces += reader.read(text[begin:end], is_last=False)
    pieces += reader.read("", is_last=True)
    calls: list[tuple[str, str, str]] = []
    for piece in pieces:
        if isinstance(piece, ToolCallPart):
            if piece.name:
                assert piece.index == len(calls)
                calls.append((piece.call_id, piece.name, ""))
            else:
                assert not piece.call_id
                call_id, name, arguments = calls[piece.index]
                calls[piece.index] = call_id, name, arguments + piece.arguments
    assert reader.has_calls == bool(calls)
    return "".join(piece for piece in pieces if isinstance(piece, str)), calls


@given(TEXTS, CALLS, st.lists(st.integers(0, 500), max_size=30))
def test_what_was_written_is_read_wherever_it_is_cut(
    text: str, calls: list[tuple[str, object]], cuts: list[int]
) -> None:
    answer = text + "\n".join(written(name, arguments) for name, arguments in calls)
    said, called = read(answer, cuts)
    assert said == (text.rstrip() if calls else text)
    assert [(name, json.loads(arguments)) for _, name, arguments in called] == calls
    assert [call_id for call_id, _, _ in called] == [f"call_{index}" for index in range(len(calls))]


@given(CALLS.filter(bool), st.integers(0, 400), st.lists(st.integers(0, 500), max_size=8))
def test_an_answer_that_is_cut_off_shows_nothing_of_its_marks(
    calls: list[tuple[str, object]], length: int, cuts: list[int]
) -> None:
    answer = "".join(written(name, arguments) for name, arguments in calls)[:length]
    said, called = read(answer, cuts)
    assert HERMES.mark not in said
    if called:
        assert said == ""
    for (_, name, arguments), (whole_name, whole) in zip(called, calls, strict=False):
        assert name == whole_name
        assert json.dumps(whole).startswith(arguments) or arguments == json.dumps(whole)


@given(CALLS.filter(bool), st.lists(st.integers(0, 500), max_size=8))
def test_a_call_that_is_cut_off_has_all_of_its_arguments_that_were_written(
    calls: list[tuple[str, object]], cuts: list[int]
) -> None:
    name, arguments = calls[-1]
    whole = "".join(written(*call) for call in calls)
    for left in range(len(HERMES.behind) + len(json.dumps(arguments))):
        _, called = read(whole[: len(whole) - left], cuts)
        missing = max(0, left - len(HERMES.behind))
        text = json.dumps(arguments)
        assert called[-1][1:] == (name, text[: len(text) - missing])


def test_a_call_that_was_cut_is_no_whole_one_and_where_calls_are_expected_nothing_is_said() -> None:
    reader = ToolCallReader(HERMES, lambda: "call", has_text=False)
    assert reader.read("<tool_", is_last=True) == []
    assert not reader.ends_with_calls
    whole = written("weather", {"a": 1})
    for end in range(len(whole)):
        reader = ToolCallReader(HERMES, lambda: "call")
        reader.read(whole[:end], is_last=True)
        assert not reader.ends_with_calls
    reader = ToolCallReader(HERMES, lambda: "call")
    reader.read(whole, is_last=True)
    assert reader.ends_with_calls


def test_only_permitted_tools_are_called_and_none_if_so_told() -> None:
    tools = (Tool("a"), Tool("b"))
    assert Tools(tools).callable_tools == tools
    assert Tools(tools, permitted=("b",)).callable_tools == (Tool("b"),)
    assert Tools(tools, use=ToolUse.NONE).callable_tools == ()
    assert '"a"' not in grammar(Tools(tools, permitted=("b",)), HERMES)
