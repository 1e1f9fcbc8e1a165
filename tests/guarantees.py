"""What a test finds broken of what is guaranteed: counts and privacy are not tried a second time."""

from collections.abc import Iterator
from contextlib import contextmanager


class BrokenGuaranteeError(AssertionError):
    """A count that is wrong, or a text that is where none may be: once is too often."""


@contextmanager
def guaranteed() -> Iterator[None]:
    """Has what is asserted within fail the run, whatever a second try would say."""
    try:
        yield
    except AssertionError as error:
        raise BrokenGuaranteeError(*error.args) from error
