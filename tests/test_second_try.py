"""What failed is tried again where chance may have had a part, and never where it must not have."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.stack.options import REPOSITORY
from tests.failures import Failures
from tests.guarantees import BrokenGuaranteeError, guaranteed
from tests.second_try import MOST, main, refusal

# Passes when it is asked for the second time.
_FLAKY = """
from pathlib import Path
from tests.guarantees import guaranteed

def test_of_pace():
    seen = Path(__file__).with_suffix(".seen")
    was_seen = seen.exists()
    seen.touch()
    assert was_seen

def test_beside_it():
    pass
"""
_COUNTS = _FLAKY.replace("    assert was_seen", "    with guaranteed():\n        assert was_seen, 'a count'")
_BY_MARK = "import pytest\npytestmark = pytest.mark.guarantee\n" + _FLAKY
_BROKEN = "def test_broken(): assert False\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree of its own: pytest calls tests by their places in one."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = guarantee\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    return tmp_path


def _run(folder: Path, text: str) -> str:
    """Runs a module with the plugin; returns what `second_try` is told of it."""
    (folder / "test_it.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "--note-failures", "notes"]
    return f"notes={subprocess.run(command, capture_output=True, timeout=120, check=False).returncode}"


def test_a_test_that_passes_at_its_second_try_is_named_and_the_run_passes(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([_run(folder, _FLAKY)]) == 0
    said = capfd.readouterr().out
    assert "PASSED ONLY WHEN TRIED AGAIN" in said
    assert "test_beside_it" not in said


def test_a_test_that_fails_twice_fails_the_run(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([_run(folder, _BROKEN)]) == 1
    assert "FAILED TWICE" in capfd.readouterr().out


@pytest.mark.parametrize("text", [_COUNTS, _BY_MARK])
def test_a_guarantee_that_is_broken_once_fails_the_run(
    folder: Path, text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([_run(folder, text)]) == 1
    said = capfd.readouterr().out
    assert "found a guarantee broken" in said
    assert "trying again" not in said


def test_a_run_that_passed_is_not_looked_at(tmp_path: Path) -> None:
    assert main([f"{tmp_path}/never-written=0"]) == 0


@pytest.mark.parametrize(
    ("runs", "why"),
    [
        ([(Failures(["a"]), 0), (Failures([]), 2)], "did not come to its end"),
        ([(Failures(["a"]), 1), (Failures([]), 1)], "without a test"),
        ([(Failures(["a", "b"], ["b"]), 1)], "1 found a guarantee broken: b"),
        ([(Failures(["a"] * MOST), 1), (Failures(["b"]), 1)], f"{MOST + 1} failed"),
    ],
)
def test_no_accident_is_not_tried_again(runs: list[tuple[Failures, int]], why: str) -> None:
    assert why in str(refusal(runs))


def test_as_many_as_one_standstill_may_take_are_tried_again() -> None:
    assert refusal([(Failures(["a"] * MOST), 1), (Failures(), 0)]) is None


def test_notes_of_a_run_without_an_end_are_empty_and_others_as_written(tmp_path: Path) -> None:
    assert Failures.read(tmp_path / "none") == Failures()
    (tmp_path / "notes").write_text(json.dumps({"failed": ["a"], "final": []}))
    assert Failures.read(tmp_path / "notes") == Failures(["a"])


def test_only_what_is_asserted_is_of_the_guarantee() -> None:
    with pytest.raises(BrokenGuaranteeError, match="two rows"), guaranteed():
        raise AssertionError("two rows")
    with pytest.raises(ValueError, match="other"), guaranteed():
        raise ValueError("other")
