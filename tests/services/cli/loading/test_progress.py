"""How a bench is getting on: lines where there is no terminal, a bar where there is one."""

import io

from rich.console import Console

from services.cli.bench.exchange import INTERRUPTED
from services.cli.loading.progress import Screen
from tests.services.cli.bench.exchanges import exchange


def screen(*, is_terminal: bool, kind: str = "xterm") -> tuple[Screen, io.StringIO]:
    written = io.StringIO()
    console = Console(
        file=written, force_terminal=is_terminal, width=160, no_color=True, _environ={"TERM": kind}
    )
    return Screen(console), written


def load(one: Screen) -> None:
    one.level("2 users", 10)
    for _ in range(4):
        one.began()
    one.ended(exchange(0.0, (0.2,)))
    one.ended(exchange(0.0, failure="500"))
    one.ended(exchange(0.0, failure=INTERRUPTED))
    one.draw()


def test_without_a_terminal_there_are_plain_lines() -> None:
    own, written = screen(is_terminal=False)
    with own:
        load(own)
        own.note("A sentence.")
    begins, far, note = written.getvalue().splitlines()
    assert begins == "2 users begins."
    assert far == "2 users: 3 of 10 requests, 1 in flight, 1 failed, TTFT p50 lately 200 ms"
    assert note == "A sentence."
    assert own.interval_seconds > 1


def test_on_a_terminal_there_is_a_bar_for_the_level_that_runs() -> None:
    own, written = screen(is_terminal=True)
    with own:
        load(own)
        own.level("4 users", None)
        own.draw()
    assert "3 of 10 requests" in written.getvalue()
    assert own.interval_seconds < 1
    assert written.getvalue().rstrip().rpartition("4 users")[1]


def test_a_level_begins_at_nothing() -> None:
    own, _ = screen(is_terminal=False)
    load(own)
    own.level("4 users", None)
    assert own.said() == "0 requests, 0 in flight, 0 failed"


def test_a_terminal_that_cannot_move_its_cursor_gets_lines() -> None:
    own, written = screen(is_terminal=True, kind="dumb")
    with own:
        load(own)
    assert written.getvalue().startswith("2 users begins.")
