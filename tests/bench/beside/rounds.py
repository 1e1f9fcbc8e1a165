"""Each target alone and in turn: first whether all answer alike, then the rounds."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench.beside.answers import first_difference
from tests.bench.beside.chat import Said
from tests.bench.beside.closed_loop import PROMPTS, Load
from tests.bench.beside.errors import BenchError
from tests.bench.beside.progress import Progress
from tests.bench.beside.results import Measurement, Results, measurement
from tests.bench.beside.tables import counted
from tests.bench.beside.targets import Running, Target

_WARM_SECONDS = 4.0
# What records the warm-up is done before the first window opens.
_SETTLE_SECONDS = 2.0
_ANSWER_TOKENS = 32
_ANSWERS_SECONDS = 12.0


@dataclass(frozen=True, slots=True)
class Contest:
    """Some targets and the loads that each of them gets."""

    part: str
    targets: Sequence[Target]
    loads: Sequence[Load]
    tail_seconds: float
    rounds: int
    # Whether the targets have the same engine, so that they must answer alike.
    is_compared: bool = True

    @property
    def planned_seconds(self) -> float:
        """How long it takes on a quiet machine."""
        comparison = sum(target.start_seconds + _ANSWERS_SECONDS for target in self.targets)
        return self.rounds * sum(map(self.turn_seconds, self.targets)) + self.is_compared * comparison

    def turn_seconds(self, target: Target) -> float:
        """How long one turn of one target takes."""
        windows = sum(load.lead_seconds + load.seconds + self.tail_seconds for load in self.loads)
        return target.start_seconds + _WARM_SECONDS + _SETTLE_SECONDS + self.tail_seconds + windows


def run_contest(contest: Contest, results: Results, progress: Progress, keep: Callable[[], None]) -> None:
    """Measures into `results` and calls `keep` after each window; BenchError where answers differ."""
    if contest.is_compared:
        compare_answers(contest, results, progress)
    for number in range(1, contest.rounds + 1):
        # The other way round every second time, so that no target always follows the same one.
        for target in contest.targets if number % 2 else reversed(contest.targets):
            with started(target, progress) as running:
                _take_turn(contest, number, target, running, _Sink(results, progress, keep))
            progress.done(contest.turn_seconds(target))


def compare_answers(contest: Contest, results: Results, progress: Progress) -> None:
    """Lets every target answer the same prompts greedily; BenchError says which one differs, and no text."""
    first: tuple[str, list[Said]] | None = None
    for target in contest.targets:
        with started(target, progress) as running:
            if "dtype" in running.facts:
                results.dtypes[contest.part] = running.facts["dtype"]
            answers = running.loader.answers(running.endpoint, _ANSWER_TOKENS)
        if first is None:
            first = target.name, answers
        difference = first_difference(first[1], answers)
        if difference:
            raise BenchError(
                f"{first[0]} and {target.name} do not answer alike with {contest.part}, "
                f"so they are not comparable: {difference}."
            )
        progress.done(target.start_seconds + _ANSWERS_SECONDS)
        progress.say(f"{contest.part}: {target.name} has answered {len(PROMPTS)} prompts, as it should")


@contextmanager
def started(target: Target, progress: Progress) -> Iterator[Running]:
    """The target in an empty folder; a start that fails is tried once again.

    Programs that start beside it can take a port in the moment between its choice and its use.
    """
    with ExitStack() as stack:
        try:
            running = stack.enter_context(_start(target))
        except BenchError as error:
            progress.say(f"{target.name} did not start and is started once more: {error}")
            running = stack.enter_context(_start(target))
        yield running


@contextmanager
def _start(target: Target) -> Iterator[Running]:
    with tempfile.TemporaryDirectory() as folder, target.start(Path(folder)) as running:
        yield running


@dataclass(frozen=True, slots=True)
class _Sink:
    results: Results
    progress: Progress
    keep: Callable[[], None]


def _take_turn(contest: Contest, number: int, target: Target, running: Running, sink: _Sink) -> None:
    warm = max(contest.loads, key=lambda load: load.streams)
    warm = replace(warm, lead_seconds=0.0, seconds=_WARM_SECONDS, most_lead_seconds=0.0)
    running.loader.measure(running.endpoint, warm, running.roots)
    time.sleep(_SETTLE_SECONDS)
    for load in contest.loads:
        measured = running.loader.measure(running.endpoint, load, running.roots)
        found = measurement(contest.part, target.name, number, load.streams, measured)
        sink.results.measurements.append(found)
        sink.keep()
        sink.progress.say(f"{contest.part}, round {number} of {contest.rounds}: {line_of(found)}")


def line_of(found: Measurement) -> str:
    """Returns a measurement as a line for people who wait."""
    ttft = found.ttft_p50_seconds
    first = "no text" if ttft is None else f"TTFT p50 {1000 * ttft:.0f} ms"
    disturbed = " (disturbed)" if found.is_disturbed else ""
    errors = "".join(f", FAILED: {count} with {why}" for why, count in found.failures.items())
    return (
        f"{found.target}, {counted(found.streams)}: {found.tokens_per_second:.0f} tokens/s, "
        f"{found.requests_per_second:.1f} requests/s, {first}, "
        f"foreign {found.foreign_cores:.1f}{disturbed}{errors}"
    )
