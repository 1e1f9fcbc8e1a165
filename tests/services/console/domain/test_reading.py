"""A source that is away keeps what it said last, and since when it is silent."""

from services.console.domain.reading import Reading

NOTHING: Reading[int] = Reading()


def test_an_answer_is_kept_with_its_moment() -> None:
    reading = NOTHING.answered(7, 100.0)
    assert (reading.value, reading.taken_at_seconds, reading.is_away) == (7, 100.0, False)


def test_a_silent_source_keeps_its_value_and_the_moment_at_which_it_fell_silent() -> None:
    reading = NOTHING.answered(7, 100.0).unanswered("away", 110.0).unanswered("gone", 120.0)
    assert (reading.value, reading.taken_at_seconds) == (7, 100.0)
    assert (reading.is_away, reading.away_since_seconds, reading.why) == (True, 110.0, "gone")


def test_a_source_that_is_back_was_never_away() -> None:
    reading = NOTHING.unanswered("away", 110.0).answered(8, 130.0)
    assert (reading.value, reading.is_away, reading.away_since_seconds) == (8, False, 0.0)
