from services.edge.domain.structure import MAX_VALUES
from tests.bench.beside.long_steps import Step, is_whole, steps_of
from tests.bench.beside.loop_steps import sitecustomize
from tests.bench.beside.worst_bodies import MIB, worst_bodies


def test_steps_are_read_up_to_the_last_whole_line() -> None:
    text = "12.5 0.003 Registry._answer\n13.25 0.0007 a name with blanks\n14.0 0.0"
    assert list(steps_of(text)) == [Step(12.5, 0.003), Step(13.25, 0.0007)]
    assert list(steps_of("")) == []


def test_a_process_that_is_not_watched_runs_on_its_own_loop() -> None:
    assert not sitecustomize._names


def test_bodies_are_as_large_as_they_may_be_and_no_larger() -> None:
    bodies = worst_bodies("tiny-eu")
    assert len({worst.name for worst in bodies}) == len(bodies)
    assert all(len(worst.content) <= MIB for worst in bodies)
    assert sum(len(worst.content) > MIB * 0.75 for worst in bodies) > 10
    assert any(worst.content.count(b",") > MAX_VALUES * 0.8 for worst in bodies)


def test_an_answer_is_whole_with_its_length_or_its_last_chunk() -> None:
    counted = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"
    for part, whole in (
        (counted + b"{", False),
        (counted + b"{}", True),
        (chunked, False),
        (chunked + b"0\r\n\r\n", True),
    ):
        assert is_whole(bytearray(part)) is whole
