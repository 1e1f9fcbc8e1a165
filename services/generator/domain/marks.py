"""Marks in a text that comes piece by piece."""


def begun(text: str, mark: str) -> int:
    """Returns how many characters at the end of `text` may be the beginning of `mark`."""
    return max((count for count in range(1, len(mark)) if text.endswith(mark[:count])), default=0)
