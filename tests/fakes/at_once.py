"""Calls of what is asynchronous by its port, and waits for nothing in memory."""

from collections.abc import Coroutine
from typing import Any, TypeVar

Got = TypeVar("Got")


def at_once(call: Coroutine[Any, Any, Got]) -> Got:
    """What a call returns that waits for nothing."""
    try:
        call.send(None)
    except StopIteration as end:
        got: Got = end.value
        return got
    raise AssertionError("it waited")
