import os
import sys
from pathlib import Path

import pytest

from deploy.local.models.packages import Wheel, fetch_wheels, run
from deploy.local.stack.errors import StackError
from services.runtime.settings import environment


@pytest.fixture
def lock(tmp_path: Path) -> int:
    return os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)


def test_each_wheel_is_named_with_its_sum() -> None:
    assert Wheel("gguf", "0.19.0", "ab").requirement == "gguf==0.19.0 --hash=sha256:ab"


def test_a_program_that_fails_is_one_sentence_with_its_last_words(lock: int) -> None:
    program = "import sys; sys.exit('no such\\n  index')"
    with pytest.raises(StackError, match="It cannot be: no such index"):
        run([sys.executable, "-c", program], "It cannot be", dict(environment()), lock)


def test_a_program_that_says_nothing_is_told_by_its_status(lock: int) -> None:
    with pytest.raises(StackError, match="status 3"):
        run([sys.executable, "-c", "raise SystemExit(3)"], "It cannot be", dict(environment()), lock)


def test_the_lock_is_held_by_what_runs(lock: int) -> None:
    program = f"import os; os.fstat({lock})"
    run([sys.executable, "-c", program], "It cannot be", dict(environment()), lock)


def test_without_an_index_nothing_is_fetched_and_the_sentence_says_so(
    tmp_path: Path, lock: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(StackError, match="The packages cannot be fetched"):
        fetch_wheels([Wheel("gguf", "0.19.0", "0" * 64)], tmp_path / "packages", lock)


def test_without_uv_and_pip_the_sentence_names_them(
    tmp_path: Path, lock: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.local.models.packages.REPOSITORY", tmp_path)
    monkeypatch.setattr("deploy.local.models.packages.shutil.which", lambda _: None)
    monkeypatch.setattr("deploy.local.models.packages.importlib.util.find_spec", lambda _: None)
    with pytest.raises(StackError, match="Neither uv nor pip"):
        fetch_wheels([Wheel("gguf", "0.19.0", "0" * 64)], tmp_path / "packages", lock)
