import pytest

from services.runtime.error_places import causes_of, places_of

CANARY = "kanarienvogel-7f3a"


def _inner() -> None:
    raise KeyError(CANARY)


def _outer(depth: int) -> None:
    if depth:
        _outer(depth - 1)
        return
    try:
        _inner()
    except KeyError as error:
        raise ValueError(CANARY) from error


def caught(depth: int = 0) -> BaseException:
    try:
        _outer(depth)
    except ValueError as error:
        return error
    raise AssertionError


def test_the_innermost_places_come_first_and_are_few() -> None:
    places = places_of(caught(depth=50))
    assert len(places) == 6
    assert places[0].startswith(f"{__name__}:")
    assert {place.split(" ")[1] for place in places} == {"_outer"}


def test_what_stands_behind_is_named_by_type_and_place() -> None:
    (cause,) = causes_of(caught())
    assert cause.startswith(f"KeyError {__name__}:")
    assert cause.endswith(" _inner")


def test_nothing_that_an_exception_says_is_told() -> None:
    error = caught()
    assert CANARY not in str([*places_of(error), *causes_of(error)])


def test_an_exception_that_was_never_raised_has_no_place() -> None:
    assert (places_of(ValueError()), causes_of(ValueError())) == ([], [])


def test_a_long_chain_is_cut() -> None:
    error = ValueError()
    for _ in range(100):
        later = ValueError()
        later.__cause__, error = error, later
    assert causes_of(error) == ["ValueError"] * 4


def test_a_cause_that_was_suppressed_stays_so() -> None:
    def suppress() -> None:
        try:
            _inner()
        except KeyError:
            raise ValueError from None

    with pytest.raises(ValueError) as caught_here:  # noqa: PT011 - an error without words is what it is about
        suppress()
    assert causes_of(caught_here.value) == []
