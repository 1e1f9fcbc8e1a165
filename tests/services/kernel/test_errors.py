"""The reasons are those of the schema, and an error says nothing but its reason."""

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
