"""The reasons are those of the schema, and an error says nothing but its reason."""

import itertools

import pytest
from comptoir.error.v1 import error_reason_pb2

from services.kernel.errors import ComptoirError, Reason, forget_frames

PREFIX = "ERROR_REASON_"


def test_names_and_numbers_are_the_schemas_both_ways() -> None:
    schema = {name.removeprefix(PREFIX): number for name, number in error_reason_pb2.ErrorReason.items()}
    assert schema == {reason.name: reason.value for reason in Reason}


@pytest.mark.parametrize("reason", Reason)
def test_the_text_of_an_error_is_its_reason(reason: Reason) -> None:
    error = ComptoirError(reason, field="messages", retry_after_seconds=1.5)
    assert str(error) == reason.name
    assert (error.reason, error.field, error.retry_after_seconds) == (reason, "messages", 1.5)


def test_an_error_that_was_told_lets_go_of_its_frames_and_of_those_behind_it() -> None:
    with pytest.raises(ComptoirError) as caught:
        _fail_behind_another()
    errors = [caught.value, caught.value.__context__]
    assert None not in [error and error.__traceback__ for error in errors]
    forget_frames(caught.value)
    assert [error and error.__traceback__ for error in errors] == [None, None]


def _fail_behind_another() -> None:
    try:
        int("no number")
    except ValueError:
        raise ComptoirError(Reason.INTERNAL) from None


def test_errors_that_stand_behind_each_other_are_gone_through_once() -> None:
    errors = [ValueError(number) for number in range(60)]
    for error, behind in itertools.pairwise(errors):
        error.__cause__ = error.__context__ = behind
    errors[-1].__cause__ = errors[0]
    forget_frames(errors[0])


def test_the_errors_of_a_group_let_go_of_their_frames_too() -> None:
    with pytest.raises(ComptoirError) as caught:
        _fail_behind_another()
    forget_frames(ExceptionGroup("of tasks", [caught.value]))
    assert caught.value.__traceback__ is None
