import pytest

from tests.bench.beside.command_line import parse


def test_left_alone_it_measures_what_the_page_shows() -> None:
    options = parse([])
    assert options.parts == (
        "tiny",
        "real",
        "short",
        "idle",
        "events",
        "bodies",
        "admissions",
        "placement",
        "engines",
    )
    assert options.targets == ("comptoir", "bare", "floor", "litellm")
    assert (options.rounds, options.streams, options.real_streams) == (5, (1, 8, 64), (1, 8, 16))
    assert (options.dtype, options.idle_streams, options.seconds) == ("auto", 10_000, None)


def test_quick_is_one_short_round_and_yields_to_what_is_given() -> None:
    assert (parse(["--quick"]).rounds, parse(["--quick"]).seconds) == (1, 3.0)
    assert parse(["--quick", "--rounds", "2", "--seconds", "5"]).rounds == 2
    assert parse(["--quick", "--seconds", "5"]).seconds == 5


@pytest.mark.parametrize("wrong", [["--rounds", "0"], ["--streams", "0"], ["--parts", "all"]])
def test_what_cannot_be_measured_is_refused(wrong: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse(wrong)


def test_the_help_teaches_parts_and_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    said = capsys.readouterr().out
    for word in ("tiny-eu", "--quick", "make bench ARGS", "0.3"):
        assert word in said
