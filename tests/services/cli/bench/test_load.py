"""Levels of a load as they are typed."""

import pytest

from services.cli.bench.errors import BenchError
from services.cli.bench.load import parse_levels, parse_users


def test_several_levels_are_a_sweep() -> None:
    assert parse_users("1,2,8") == [1, 2, 8]
    assert parse_levels("0.5, 4", "--rate") == [0.5, 4.0]


@pytest.mark.parametrize("text", ["", "0", "-1", "x", "1,,2", "nan", "inf"])
def test_a_level_is_a_number_above_nothing(text: str) -> None:
    with pytest.raises(BenchError, match="--rate"):
        parse_levels(text, "--rate")


def test_there_are_no_halves_of_users() -> None:
    with pytest.raises(BenchError, match="whole users"):
        parse_users("1.5")
