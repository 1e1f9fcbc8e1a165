from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.bench.beside.chat import Endpoint, Said
from tests.bench.beside.closed_loop import Load
from tests.bench.beside.errors import BenchError
from tests.bench.beside.loader import Measured
from tests.bench.beside.processes import Usage
from tests.bench.beside.progress import Progress
from tests.bench.beside.results import Results
from tests.bench.beside.rounds import Contest, run_contest, started
from tests.bench.beside.targets import Running, Target
from tests.bench.beside.window import Seen

LOADS = (Load(1, 0, 0, 8), Load(8, 0, 0, 8))
SEEN = Seen(10.0, 1000.0, 50, {}, [0.01, 0.03, 0.02], [0.1])
USAGE = Usage(10.0, {"edge": 1.0, "load generator": 1.0}, 0.1)


class Machine:
    """Targets that only say when they start, answer, are measured and end."""

    def __init__(self) -> None:
        self.journal: list[str] = []
        self.failing_starts = 0

    def target(self, name: str, text: str = "Oui.") -> Target:
        def answers(endpoint: Endpoint, max_tokens: int) -> list[Said]:
            self.journal.append(f"{name} answers")
            return [Said(text, "stop", 1, 1)]

        def measure(endpoint: Endpoint, load: Load, roots: dict[int, str]) -> Measured:
            self.journal.append(f"{name} {load.streams}")
            return Measured(SEEN, USAGE)

        @contextmanager
        def start(folder: Path) -> Iterator[Running]:
            if self.failing_starts:
                self.failing_starts -= 1
                raise BenchError("a port is taken.")
            self.journal.append(f"{name} starts")
            own: Any = SimpleNamespace(answers=answers, measure=measure)
            yield Running(own, Endpoint(1, "tiny-eu"), {}, {"dtype": "bfloat16"})
            self.journal.append(f"{name} ends")

        return Target(name, start, 1.0)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.bench.beside.rounds._SETTLE_SECONDS", 0.0)


def progress(said: list[str] | None = None) -> Progress:
    return Progress(1.0, lambda: 0.0, (said if said is not None else []).append)


def test_all_answer_first_then_each_is_measured_alone_and_the_order_turns() -> None:
    machine = Machine()
    contest = Contest("tiny-eu", [machine.target("one"), machine.target("two")], LOADS, 0.0, rounds=2)
    results = Results({}, {}, {})
    kept: list[int] = []
    run_contest(contest, results, progress(), lambda: kept.append(len(results.measurements)))

    def turn(name: str) -> list[str]:
        return [f"{name} starts", f"{name} 8", f"{name} 1", f"{name} 8", f"{name} ends"]

    compared = ["one starts", "one answers", "one ends", "two starts", "two answers", "two ends"]
    assert machine.journal == [*compared, *turn("one"), *turn("two"), *turn("two"), *turn("one")]
    assert kept == list(range(1, 9))
    assert results.dtypes == {"tiny-eu": "bfloat16"}
    first = results.measurements[0]
    assert (first.target, first.round, first.streams, first.ttft_p50_seconds) == ("one", 1, 1, 0.02)


def test_targets_that_answer_differently_are_not_measured_and_the_prompt_is_named() -> None:
    machine = Machine()
    contest = Contest("tiny-eu", [machine.target("one"), machine.target("two", "Onze.")], LOADS, 0.0, 1)
    with pytest.raises(BenchError, match=r"one and two do not answer alike.*prompt 1 of 1") as error:
        run_contest(contest, Results({}, {}, {}), progress(), lambda: None)
    assert "Onze" not in str(error.value)
    assert "two 8" not in machine.journal


def test_a_start_that_fails_is_tried_once_again() -> None:
    machine = Machine()
    said: list[str] = []
    machine.failing_starts = 1
    with started(machine.target("one"), progress(said)):
        assert machine.journal == ["one starts"]
    assert "started once more: a port is taken." in said[0]
    machine.failing_starts = 2
    with pytest.raises(BenchError), started(machine.target("one"), progress()):
        pass


def test_what_goes_wrong_in_a_turn_is_not_tried_again() -> None:
    machine = Machine()
    with pytest.raises(BenchError), started(machine.target("one"), progress()):
        raise BenchError("it fell silent.")
    assert machine.journal == ["one starts"]
