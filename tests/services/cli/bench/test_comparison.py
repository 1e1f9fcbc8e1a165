"""Two results beside each other."""

import pytest

from services.cli.bench.comparison import compare, differences, level_of
from services.cli.bench.errors import BenchError
from services.cli.bench.results import LoadLevel
from tests.services.cli.bench.results import WORKLOAD, result


def test_levels_that_both_have_are_compared_number_by_number() -> None:
    pairs = compare(result(1, 2, 4), result(2, 4, 8, pace=0.1))
    assert [pair.level for pair in pairs] == ["2 users", "4 users"]
    changes = {one.figure.title: one.change for one in pairs[0].figures}
    assert changes["TPOT p50"] == pytest.approx(1.0)
    assert changes["TTFT p50"] == pytest.approx(0.0)
    assert changes["TPS per request p50"] == pytest.approx(-0.5)
    assert changes["failed"] == pytest.approx(0.0)


def test_results_without_a_level_in_both_are_refused() -> None:
    with pytest.raises(BenchError, match="no level of load in both"):
        compare(result(1), result(2))


def test_what_was_asked_differently_is_said_but_not_where() -> None:
    other = WORKLOAD.model_copy(update={"endpoint": "http://other/v1", "seed": 7, "output_tokens": "64"})
    assert differences(result(), result(workload=other)) == ["output_tokens", "seed"]


@pytest.mark.parametrize(
    ("level", "words"),
    [
        (LoadLevel(kind="closed", users=1), "1 user"),
        (LoadLevel(kind="open", rate_per_second=2.5, arrivals="poisson"), "2.5/s poisson"),
        (LoadLevel(kind="open", rate_per_second=2, arrivals="gamma", burstiness=0.5), "2/s gamma 0.5"),
        (LoadLevel(kind="open", arrivals="trace"), "trace"),
    ],
)
def test_a_level_has_a_name(level: LoadLevel, words: str) -> None:
    assert level_of(result().runs[0].model_copy(update={"load": level})) == words
