"""Events out of bytes, wherever they are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.bench import sse
from services.cli.bench.sse import EventReader, EventTooLong

DATA = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1).map(str.encode)


@given(st.lists(DATA, max_size=8), st.sampled_from([b"\n", b"\r\n", b"\r"]), st.data())
def test_events_are_the_same_wherever_bytes_are_cut(
    events: list[bytes], end: bytes, data: st.DataObject
) -> None:
    sent = b"".join(b": ping" + end + b"data: " + event + end + b"id: 3" + end + end for event in events)
    reader, found, at = EventReader(), [], 0
    while at < len(sent):
        step = data.draw(st.integers(1, len(sent)))
        found += reader.take(sent[at : at + step])
        at += step
    assert found == events


def test_several_lines_of_data_are_one_event_and_a_space_is_optional() -> None:
    assert EventReader().take(b"data:a\ndata:  b\n\n\n:x\n\ndata\n\n") == [b"a\n b", b""]


def test_an_event_without_its_empty_line_is_not_there_yet() -> None:
    reader = EventReader()
    assert reader.take(b"data: a\n") == []
    assert reader.take(b"\n") == [b"a"]


def test_a_line_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "_MOST_BYTES", 10)
    with pytest.raises(EventTooLong):
        EventReader().take(b"data: " + b"x" * 20)
