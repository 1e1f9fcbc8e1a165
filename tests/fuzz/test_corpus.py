"""Every seed, and every input that has ever shown a fault, holds the properties."""

import pytest

from tests.fuzz.targets import TARGETS, Target, check_of


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_the_corpus_shows_no_fault(target: Target) -> None:
    inputs = sorted(target.corpus.iterdir())
    assert len(inputs) > 3
    check = check_of(target.name)
    for path in inputs:
        check(path.read_bytes())


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_no_input_is_no_fault(target: Target) -> None:
    check_of(target.name)(b"")
