"""Half a minute of fuzzing, and what a fuzzer's failure comes to: a finding where it fails again alone."""

from pathlib import Path
from typing import Final

import pytest

from tests.fuzz.campaign import Finding, confirm, fuzz
from tests.fuzz.targets import TARGETS, Target

SECONDS_EACH: Final = 10


@pytest.fixture
def planted(tmp_path: Path) -> Target:
    target = Target("planted", ("tests.fuzz.planted",), 64, tmp_path / "corpora")
    target.corpus.mkdir(parents=True)
    return target


@pytest.mark.system
@pytest.mark.guarantee
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_short_run_finds_nothing(target: Target, tmp_path: Path) -> None:
    fuzz(target, tmp_path, seconds=SECONDS_EACH, say=print)


@pytest.mark.system
@pytest.mark.guarantee
def test_what_is_there_is_found_and_kept_for_the_next_run(planted: Target, tmp_path: Path) -> None:
    with pytest.raises(Finding):
        fuzz(planted, tmp_path, seconds=60, say=print)
    (kept,) = planted.corpus.iterdir()
    assert kept.read_bytes().startswith(b"abc")


def test_what_fails_under_the_fuzzer_alone_is_told_and_forgotten(planted: Target, tmp_path: Path) -> None:
    said: list[str] = []
    artefact = tmp_path / "artefact-slow-unit"
    artefact.write_bytes(b"nothing")
    confirm(planted, artefact, "what the fuzzer said", said.append)
    assert "what the fuzzer said" in said[0]
    assert not artefact.exists()
    assert not list(planted.corpus.iterdir())
