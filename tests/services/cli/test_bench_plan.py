"""What options of `comptoir bench` come to, and which do not fit together."""

from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from services.cli.bench.arrivals import ArrivalProcess, Arrivals
from services.cli.bench.errors import BenchError
from services.cli.bench.load import Bound, Closed, Open
from services.cli.bench.objectives import Objective
from services.cli.bench.prices import Prices
from services.cli.bench_plan import (
    TEXTS,
    JudgeOptions,
    LoadOptions,
    TextOptions,
    body_of,
    objectives_of,
    plan_of,
)
from services.cli.loading.plan import Plan

REPOSITORY = Path(__file__).resolve().parents[3]
TEXT = TextOptions("256", "128")


def planned(load: LoadOptions | None = None, judge: JudgeOptions | None = None) -> Plan:
    return plan_of(load or LoadOptions(), TEXT, judge or JudgeOptions())


def test_without_options_four_users_send_a_hundred_requests_in_six_languages() -> None:
    plan = planned()
    assert (plan.levels, plan.bound) == ((Closed(4),), Bound(100, None))
    assert list(plan.grammars) == ["de", "en", "es", "fr", "it", "nl"]
    assert plan.judged.prices is None


def test_a_rate_is_an_open_load_of_poisson_unless_said_otherwise() -> None:
    assert planned(LoadOptions(rate="2,4")).levels == (Open(Arrivals(2)), Open(Arrivals(4)))
    (even,) = planned(LoadOptions(rate="2", arrivals=ArrivalProcess.CONSTANT)).levels
    assert even == Open(Arrivals(2, ArrivalProcess.CONSTANT))
    (bursts,) = planned(LoadOptions(rate="2", burstiness=0.5, max_in_flight=9)).levels
    assert bursts == Open(Arrivals(2, ArrivalProcess.GAMMA, 0.5), 9)


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (LoadOptions(concurrency="2", rate="2"), "give one of them"),
        (LoadOptions(arrivals=ArrivalProcess.POISSON), "give a rate"),
        (LoadOptions(burstiness=0.5), "give a rate"),
        (LoadOptions(rate="2", arrivals=ArrivalProcess.GAMMA), "go together"),
        (LoadOptions(rate="2", arrivals=ArrivalProcess.POISSON, burstiness=2), "go together"),
        (LoadOptions(duration="60"), "30s"),
        (LoadOptions(trace=Path("nowhere.jsonl")), "--trace"),
    ],
)
def test_what_does_not_fit_together_is_refused(load: LoadOptions, words: str) -> None:
    with pytest.raises(BenchError, match=words):
        planned(load)


def test_a_duration_bounds_alone_or_with_a_number_of_requests() -> None:
    assert planned(LoadOptions(duration="30s")).bound == Bound(None, 30)
    assert planned(LoadOptions(duration="30s", requests=7)).bound == Bound(7, 30)


def test_a_trace_with_times_is_an_open_load_and_one_without_is_not(tmp_path: Path) -> None:
    timed, lengths = tmp_path / "timed.jsonl", tmp_path / "lengths.jsonl"
    timed.write_text('{"timestamp": 5, "input_length": 3, "output_length": 4}\n')
    lengths.write_text('{"input_length": 3, "output_length": 4}\n' * 3)
    assert planned(LoadOptions(trace=timed)).levels == (Open(None),)
    assert planned(LoadOptions(trace=timed, rate="2")).levels == (Open(Arrivals(2)),)
    plan = planned(LoadOptions(trace=lengths))
    assert (plan.levels, plan.bound) == ((Closed(4),), Bound(3))


def test_objectives_and_prices_are_what_was_typed() -> None:
    judge = JudgeOptions(("ttft:500ms", "tpot:50ms"), ("output:1.6",), 2.5, 4, "CHF")
    judged = planned(judge=judge).judged
    assert judged.objectives == (Objective("ttft", 0.5), Objective("tpot", 0.05))
    assert objectives_of(judged.objectives) == {"ttft": 0.5, "tpot": 0.05}
    assert judged.prices == Prices("CHF", 10.0, None, 1.6)
    with pytest.raises(BenchError, match="twice"):
        planned(judge=JudgeOptions(("ttft:1s", "ttft:2s")))


def test_what_is_laid_over_a_request_is_an_object() -> None:
    assert body_of('{"temperature": 0}', ignores_eos=True) == {"ignore_eos": True, "temperature": 0}
    assert body_of("", ignores_eos=False) == {}
    for text in ("[]", "{", "1"):
        with pytest.raises(BenchError, match="JSON object"):
            body_of(text, ignores_eos=False)


def test_an_installed_command_line_has_the_sentences_and_no_model() -> None:
    names = {file.distribution_path for file in WheelBuilder(str(REPOSITORY)).recurse_included_files()}
    texts = {str(path.relative_to(REPOSITORY)) for path in TEXTS.glob("*.txt")}
    assert len(texts) == 6
    assert {*texts, "deploy/models/tiny_eu_training/grammar.py"} <= names
    assert [name for name in names if name.endswith(".safetensors")] == []
