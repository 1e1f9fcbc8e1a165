"""Clocks are judged by how far they surely differ."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.doctor.clocks import of_clock
from services.cli.doctor.facts import SeenClock
from services.cli.doctor.finding import Level
from services.contract.ticket import TICKET_MAX_SKEW_SECONDS

ORDER = (Level.OK, Level.WARN, Level.FAIL)


@pytest.mark.parametrize(
    ("ahead", "within", "level"),
    [
        (0.2, 0.0, Level.OK),
        (-1.5, 0.0, Level.WARN),
        (1.5, 0.6, Level.OK),
        (6.0, 0.5, Level.FAIL),
        (-6.0, 0.5, Level.FAIL),
        (6.0, 2.0, Level.WARN),
    ],
)
def test_what_the_question_took_is_given_to_the_clock(ahead: float, within: float, level: Level) -> None:
    assert of_clock(SeenClock("store", ahead, within)).level is level


def test_the_sentence_says_how_far_which_way_and_what_is_allowed() -> None:
    sentence = of_clock(SeenClock("store", -7.25, 0.01)).sentence
    assert "7.25 s behind this machine's" in sentence
    assert f"tickets allow {TICKET_MAX_SKEW_SECONDS} s" in sentence


@given(st.floats(-100, 100), st.floats(0, 10), st.floats(0, 10))
def test_a_better_measurement_is_never_judged_milder(ahead: float, within: float, less: float) -> None:
    rough = of_clock(SeenClock("x", ahead, within + less)).level
    fine = of_clock(SeenClock("x", ahead, within)).level
    assert ORDER.index(fine) >= ORDER.index(rough)
