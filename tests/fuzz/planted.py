"""What a fuzzer has to find to show that it does: a fault behind three comparisons."""

from typing import Final

WORDS: Final = ("word",)


def check(data: bytes) -> None:
    """Raises for one input in 16 million."""
    if data[:1] == b"a" and data[1:2] == b"b" and data[2:3] == b"c":
        raise AssertionError("this was to be found")
