"""Which files a run by marks need not import: those that name none of them, nor their conftest."""

import functools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest

# Those that choose a phase of `make test`; a test's file says in its own text which it has.
PHASES: Final = frozenset({"system", "alone", "vllm", "images", "large", "cluster"})
_TERM: Final = re.compile(r"(?:not )?[a-z_]+")


def wanted(expression: str) -> frozenset[str]:
    """Returns the marks that every chosen test has, by an expression of `-m`; none if not plain."""
    terms = expression.split(" and ")
    if not all(_TERM.fullmatch(term) for term in terms):
        return frozenset()
    return PHASES.intersection(terms)


def lacks(path: Path, marks: Iterable[str]) -> bool:
    """Whether a file of tests cannot have a test of all these marks."""
    return path.name.startswith("test_") and path.suffix == ".py" and not _named(path).issuperset(marks)


def refuse_hidden(items: Iterable[tuple[Path, Iterable[str]]]) -> None:
    """Raises UsageError where a test has a mark that its file does not name: a run by marks would miss it."""
    hidden = sorted({path.name for path, marks in items if lacks(path, PHASES.intersection(marks))})
    if hidden:
        raise pytest.UsageError(f"write out the marks of {', '.join(hidden)}: a run by marks would miss some")


@functools.cache
def _named(path: Path) -> frozenset[str]:
    # A fixture's parameter may have one, too.
    files = (one for one in (path, path.with_name("conftest.py")) if one.is_file())
    texts = [file.read_text(encoding="utf-8") for file in files]
    return frozenset(mark for mark in PHASES if any(f"mark.{mark}" in text for text in texts))
